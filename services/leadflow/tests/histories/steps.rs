//! What can happen in a history.

use proptest::prelude::*;

use crate::stripe::Fault;

/// What happens to the first calls of a step.
pub type Faults = [Fault; 2];

#[derive(Debug, Clone)]
pub enum Step {
    TopUp {
        cents: i64,
        card: usize,
        faults: Faults,
    },
    /// A worker looks whether the wallet is to be recharged.
    LookAtWallet {
        card: usize,
        faults: Faults,
    },
    /// A worker asks what became of a payment.
    Ask {
        payment: usize,
        faults: Faults,
    },
    AskAboutRefund {
        refund: usize,
        faults: Faults,
    },
    /// The card's owner confirms, or does not.
    Authenticate {
        payment: usize,
        confirms: bool,
    },
    /// He pays with another card what the first one did not.
    PayWith {
        payment: usize,
        card: usize,
    },
    /// A stored card is not good any more, or again.
    Spoil {
        card: usize,
        decline: bool,
    },
    Credit {
        cents: i64,
    },
    Hold {
        hold: usize,
        cents: i64,
    },
    Capture {
        hold: usize,
    },
    Release {
        hold: usize,
    },
    Return {
        hold: usize,
    },
    Refund {
        cents: i64,
        faults: Faults,
    },
    /// On Stripe's own pages.
    RefundElsewhere {
        payment: usize,
        cents: i64,
    },
    FailRefund {
        refund: usize,
    },
    Dispute {
        payment: usize,
        cents: i64,
    },
    Close {
        dispute: usize,
        won: bool,
    },
    /// A webhook comes; again: it will come once more.
    Deliver {
        event: usize,
        again: bool,
        faults: Faults,
    },
    /// Somebody looks at what a webhook is about, and is slow.
    LookAt {
        event: usize,
    },
    /// And books what he saw.
    Book {
        seen: usize,
        faults: Faults,
    },
    Lose {
        event: usize,
    },
    /// Nobody takes webhooks for a while: those on their way never come.
    LoseAll,
    Wait {
        minutes: i64,
    },
}

/// A life of a wallet.
#[derive(Debug, Clone)]
pub struct History {
    pub recharges: bool,
    pub covers_waiting_lead: bool,
    pub steps: Vec<Step>,
}

pub fn histories() -> impl Strategy<Value = History> {
    (any::<bool>(), any::<bool>(), prop::collection::vec(step(), 1..40))
        .prop_map(|(recharges, covers_waiting_lead, steps)| History { recharges, covers_waiting_lead, steps })
}

fn faults() -> impl Strategy<Value = Faults> {
    let fault = || {
        prop_oneof![
            8 => Just(Fault::None),
            1 => Just(Fault::LostRequest),
            2 => Just(Fault::LostAnswer),
            1 => Just(Fault::Late),
            1 => Just(Fault::Busy),
            1 => any::<bool>().prop_map(|executed| Fault::Broken { executed }),
        ]
    };
    [fault(), fault()]
}

fn step() -> impl Strategy<Value = Step> {
    let cents = || 100..20_000_i64;
    let nth = || 0..8_usize;
    let hold = || 0..10_usize;
    let money = prop_oneof![
        4 => (cents(), nth(), faults()).prop_map(|(cents, card, faults)| Step::TopUp { cents, card, faults }),
        4 => (nth(), faults()).prop_map(|(card, faults)| Step::LookAtWallet { card, faults }),
        2 => (nth(), faults()).prop_map(|(payment, faults)| Step::Ask { payment, faults }),
        1 => (nth(), faults()).prop_map(|(refund, faults)| Step::AskAboutRefund { refund, faults }),
        1 => (nth(), any::<bool>()).prop_map(|(payment, confirms)| Step::Authenticate { payment, confirms }),
        1 => (nth(), nth()).prop_map(|(payment, card)| Step::PayWith { payment, card }),
        1 => (nth(), any::<bool>()).prop_map(|(card, decline)| Step::Spoil { card, decline }),
        1 => cents().prop_map(|cents| Step::Credit { cents }),
        3 => (cents(), faults()).prop_map(|(cents, faults)| Step::Refund { cents, faults }),
        2 => (nth(), cents()).prop_map(|(payment, cents)| Step::RefundElsewhere { payment, cents }),
        1 => nth().prop_map(|refund| Step::FailRefund { refund }),
        2 => (nth(), cents()).prop_map(|(payment, cents)| Step::Dispute { payment, cents }),
        2 => (nth(), any::<bool>()).prop_map(|(dispute, won)| Step::Close { dispute, won }),
    ];
    let sales = prop_oneof![
        5 => (hold(), 1..9_000_i64).prop_map(|(hold, cents)| Step::Hold { hold, cents }),
        3 => hold().prop_map(|hold| Step::Capture { hold }),
        2 => hold().prop_map(|hold| Step::Release { hold }),
        1 => hold().prop_map(|hold| Step::Return { hold }),
    ];
    let news = prop_oneof![
        6 => (any::<usize>(), any::<bool>(), faults())
            .prop_map(|(event, again, faults)| Step::Deliver { event, again, faults }),
        2 => any::<usize>().prop_map(|event| Step::LookAt { event }),
        2 => (any::<usize>(), faults()).prop_map(|(seen, faults)| Step::Book { seen, faults }),
        2 => any::<usize>().prop_map(|event| Step::Lose { event }),
        1 => Just(Step::LoseAll),
    ];
    let wait = prop_oneof![1..50_i64, 300..2_000_i64].prop_map(|minutes| Step::Wait { minutes });
    prop_oneof![25 => money, 11 => sales, 12 => news, 2 => wait]
}
