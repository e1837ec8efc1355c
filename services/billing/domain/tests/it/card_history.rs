//! Random histories of one wallet and a provider whose messages come late, twice, in any order or never. After each step the books are
//! in order; when everything has been asked about, they say what the provider's own record says.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_billing_domain::{
    AccountKind, Books, CardMove, CardPayment, ChargeNews, DisputeState, DisputeStep, Effect, Hold, HoldOutcome,
    PaidSale, PaymentKind, PaymentState, Posting, PostingKind, Recharge, RefundState, Refunds, Wallet, allocate,
    dispute_step, unexplained,
};
use leadflow_kernel::{AssignmentId, CardId, Currency, Money, PaymentId, PostingId, RefundId};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::{
    card_model::{Charge, Dispute, News, Provider, RefundKey},
    support::{request, sale, sunday, wallet},
};

/// What goes wrong on the way to the provider.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    LostRequest,
    LostAnswer,
}

#[derive(Debug, Clone)]
enum Step {
    TopUp { cents: i64, outcome: Charge, fault: Fault },
    LookAtWallet { outcome: Charge, fault: Fault },
    Ask,
    Confirm { payment: usize },
    GiveUp { payment: usize },
    Credit { cents: i64 },
    Hold { hold: usize, cents: i64 },
    Capture { hold: usize },
    Release { hold: usize },
    Return { hold: usize },
    Refund { cents: i64, fault: Fault },
    RefundElsewhere { payment: usize, cents: i64 },
    FailRefund { payment: usize },
    Dispute { payment: usize },
    Decide { payment: usize, won: bool },
    Deliver { message: usize, again: bool },
    Lose { message: usize },
    Wait { minutes: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cents = || 100..20_000_i64;
    let payment = || 0..8_usize;
    let fault = || prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::LostRequest), 1 => Just(Fault::LostAnswer)];
    let outcome = || {
        prop_oneof![
            6 => Just(Charge::Succeeded),
            2 => Just(Charge::Declined),
            1 => Just(Charge::RequiresAction),
        ]
    };
    let step = prop_oneof![
        4 => (cents(), outcome(), fault()).prop_map(|(cents, outcome, fault)| Step::TopUp { cents, outcome, fault }),
        4 => (outcome(), fault()).prop_map(|(outcome, fault)| Step::LookAtWallet { outcome, fault }),
        2 => Just(Step::Ask),
        1 => payment().prop_map(|payment| Step::Confirm { payment }),
        1 => payment().prop_map(|payment| Step::GiveUp { payment }),
        1 => cents().prop_map(|cents| Step::Credit { cents }),
        5 => (0..10_usize, 1..9_000_i64).prop_map(|(hold, cents)| Step::Hold { hold, cents }),
        3 => (0..10_usize).prop_map(|hold| Step::Capture { hold }),
        2 => (0..10_usize).prop_map(|hold| Step::Release { hold }),
        1 => (0..10_usize).prop_map(|hold| Step::Return { hold }),
        2 => (cents(), fault()).prop_map(|(cents, fault)| Step::Refund { cents, fault }),
        1 => (payment(), cents()).prop_map(|(payment, cents)| Step::RefundElsewhere { payment, cents }),
        1 => payment().prop_map(|payment| Step::FailRefund { payment }),
        2 => payment().prop_map(|payment| Step::Dispute { payment }),
        2 => (payment(), any::<bool>()).prop_map(|(payment, won)| Step::Decide { payment, won }),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(message, again)| Step::Deliver { message, again }),
        2 => any::<usize>().prop_map(|message| Step::Lose { message }),
        2 => prop_oneof![1..50_i64, 300..2_000_i64].prop_map(|minutes| Step::Wait { minutes }),
    ];
    prop::collection::vec(step, 1..40)
}

struct OurRefund {
    payment: PaymentId,
    cents: i64,
    state: RefundState,
    taken: bool,
}

/// Our side: what the tables would hold.
struct Ours {
    wallet: Wallet,
    holds: BTreeMap<AssignmentId, Hold>,
    hold_ids: Vec<AssignmentId>,
    ledger: Vec<Posting>,
    sums: BTreeMap<AccountKind, Decimal>,
    credits: BTreeMap<PaymentId, usize>,
    payments: Vec<CardPayment>,
    refunds: BTreeMap<RefundId, OurRefund>,
    foreign: BTreeMap<PaymentId, i64>,
    disputes: BTreeMap<PaymentId, (i64, DisputeState)>,
    recharge: Recharge,
    card: CardId,
    now: DateTime<Utc>,
}

fn money(cents: i64) -> Money {
    Money::new(Decimal::new(cents, 2), Currency::USD).unwrap()
}

fn cents(amount: Decimal) -> i64 {
    i64::try_from(amount * Decimal::ONE_HUNDRED).unwrap()
}

impl Ours {
    fn new(enabled: bool, cover: bool) -> Self {
        let mut wallet = wallet("0.00");
        wallet.low_balance_threshold = Decimal::from(50);
        let recharge = Recharge {
            enabled,
            amount: Decimal::from(60),
            cover_waiting_lead: cover,
            most_a_day: 4,
            ..Recharge::none(wallet.seller, wallet.buyer)
        };
        Self {
            wallet,
            holds: BTreeMap::new(),
            hold_ids: (0..10).map(|_| AssignmentId::new()).collect(),
            ledger: Vec::new(),
            sums: BTreeMap::new(),
            credits: BTreeMap::new(),
            payments: Vec::new(),
            refunds: BTreeMap::new(),
            foreign: BTreeMap::new(),
            disputes: BTreeMap::new(),
            recharge,
            card: CardId::new(),
            now: sunday(),
        }
    }

    /// One transaction.
    fn change<T>(&mut self, decide: impl FnOnce(&mut Books, &Self) -> T) -> T {
        let mut books = Books::new([self.wallet], self.holds.values().cloned());
        let result = decide(&mut books, self);
        let changes = books.into_changes();
        for wallet in changes.wallets {
            self.wallet = wallet;
        }
        for hold in changes.new_holds.into_iter().chain(changes.changed_holds) {
            self.holds.insert(hold.id, hold);
        }
        for posting in &changes.postings {
            assert_eq!(posting.sum(), Decimal::ZERO, "{posting:?}");
            assert_eq!(posting.entries.iter().filter(|entry| entry.wallet.is_some()).count(), 1, "{posting:?}");
            for entry in &posting.entries {
                *self.sums.entry(entry.account.kind).or_default() += entry.amount;
            }
            if let PostingKind::TopUp(id) | PostingKind::Recharge(id) = posting.kind {
                *self.credits.entry(id).or_default() += 1;
            }
        }
        self.ledger.extend(changes.postings);
        result
    }

    fn moved(&self, payment: PaymentId) -> CardMove {
        let (seller, buyer) = (self.wallet.seller, self.wallet.buyer);
        CardMove { seller, buyer, payment, posting: PostingId::new(), now: self.now }
    }

    fn repay(books: &mut Books, ours: &Self) {
        books.repay_debt(ours.wallet.seller, ours.wallet.buyer, PostingId::new(), ours.now);
    }

    fn order(&mut self, kind: PaymentKind, amount: Money) -> PaymentId {
        let payment = CardPayment {
            id: PaymentId::new(),
            seller: self.wallet.seller,
            buyer: self.wallet.buyer,
            kind,
            request: None,
            amount,
            card: self.card,
            customer: String::new(),
            payment_method: String::new(),
            state: PaymentState::Pending,
            intent: None,
            decline_code: None,
            client_secret: None,
            received: Decimal::ZERO,
            refunded: Decimal::ZERO,
            disputed: Decimal::ZERO,
            posting: None,
            created_at: self.now,
            attempts: 0,
        };
        let id = payment.id;
        self.payments.push(payment);
        id
    }

    fn place_of(&self, id: PaymentId) -> usize {
        self.payments.iter().position(|payment| payment.id == id).unwrap()
    }

    /// News of a charge, by whichever way.
    fn hear(&mut self, id: PaymentId, intent: &str, state: Charge) {
        let place = self.place_of(id);
        let mut payment = self.payments[place].clone();
        let news = match state {
            Charge::Succeeded => ChargeNews::Succeeded(payment.amount),
            Charge::RequiresAction => ChargeNews::RequiresAction(Some("secret".to_owned())),
            Charge::Declined => ChargeNews::Declined("insufficient_funds".to_owned()),
            Charge::Canceled => ChargeNews::Canceled,
        };
        let was_credited = payment.posting.is_some();
        match payment.hear(intent, news).unwrap() {
            Effect::Credit(amount) => {
                assert!(!was_credited, "credited twice");
                let it = self.moved(id);
                self.change(|books, ours| {
                    books.charged(it, payment.kind, amount, String::new()).unwrap();
                    Self::repay(books, ours);
                });
                payment.posting = Some(it.posting);
                self.recharge.paid(self.card);
            }
            Effect::Declined if payment.kind == PaymentKind::Recharge => {
                let now = self.now;
                let _ = self.recharge.declined(self.card, "insufficient_funds", now);
            }
            _ => {}
        }
        self.payments[place] = payment;
    }

    fn booked(&self, payment: PaymentId) -> Refunds {
        let of = |which: &dyn Fn(&OurRefund) -> bool| {
            let sum =
                self.refunds.values().filter(|refund| refund.payment == payment && which(refund)).map(|it| it.cents);
            Decimal::new(sum.sum(), 2)
        };
        Refunds {
            certain: of(&|it| it.state != RefundState::Failed && (it.taken || it.state == RefundState::Succeeded)),
            uncertain: of(&|it| it.state == RefundState::Pending && !it.taken),
            foreign: Decimal::new(*self.foreign.get(&payment).unwrap_or(&0), 2),
        }
    }

    /// "How much of it went back?"
    fn look_at_refunds(&mut self, provider: &Provider, id: PaymentId) {
        let Some(charge) = provider.charges.get(&id) else { return };
        self.hear(id, &charge.intent, charge.state);
        let place = self.place_of(id);
        if self.payments[place].posting.is_none() {
            return;
        }
        let difference = unexplained(Decimal::new(charge.refunded(), 2), self.booked(id));
        if difference.is_zero() {
            return;
        }
        let it = self.moved(id);
        let amount = Money::new(difference.abs(), Currency::USD).unwrap();
        self.change(|books, ours| {
            if difference > Decimal::ZERO {
                books.refunded_elsewhere(it, amount, String::new()).unwrap();
            } else {
                books.refund_failed(it, amount, String::new()).unwrap();
                Self::repay(books, ours);
            }
        });
        *self.foreign.entry(id).or_default() += cents(difference);
        self.payments[place].refunded += difference;
    }

    fn hear_refund(&mut self, provider: &Provider, refund: RefundId, told: RefundState, taken: bool) {
        let (state, payment, amount, known) = {
            let it = &self.refunds[&refund];
            (it.state, it.payment, it.cents, it.taken)
        };
        let news = state.after(told);
        if news.is_none() && (known || !taken) {
            return;
        }
        if news == Some(RefundState::Failed) {
            let it = self.moved(payment);
            self.change(|books, ours| {
                books.refund_failed(it, money(amount), String::new()).unwrap();
                Self::repay(books, ours);
            });
            let place = self.place_of(payment);
            self.payments[place].refunded -= Decimal::new(amount, 2);
        }
        let it = self.refunds.get_mut(&refund).unwrap();
        it.taken |= taken;
        it.state = news.unwrap_or(it.state);
        self.look_at_refunds(provider, payment);
    }

    fn order_refund(&mut self, provider: &mut Provider, id: RefundId, fault: Fault) {
        let (payment, amount, first) = {
            let it = &self.refunds[&id];
            (it.payment, it.cents, !it.taken)
        };
        if !first || fault == Fault::LostRequest {
            return;
        }
        let taken = provider.refund(payment, RefundKey::Ours(id), amount);
        if fault == Fault::LostAnswer {
            return;
        }
        let failed = provider.charges[&payment].refunds.get(&RefundKey::Ours(id)).is_none_or(|(_, failed)| *failed);
        self.hear_refund(provider, id, if failed { RefundState::Failed } else { RefundState::Succeeded }, taken);
    }

    fn hear_dispute(&mut self, provider: &Provider, id: PaymentId, amount: i64, told: DisputeState) {
        let charge = &provider.charges[&id];
        self.hear(id, &charge.intent, charge.state);
        let known = self.disputes.get(&id).copied();
        let Some(step) = dispute_step(known.map(|(_, state)| state), told) else { return };
        let (one, two) = (self.moved(id), self.moved(id));
        self.change(|books, ours| {
            if matches!(step, DisputeStep::Open | DisputeStep::OpenAndLose) {
                books.dispute_opened(one, money(amount), true, String::new()).unwrap();
            }
            if matches!(step, DisputeStep::Win | DisputeStep::Lose | DisputeStep::OpenAndLose) {
                books.dispute_closed(two, money(amount), step == DisputeStep::Win, String::new()).unwrap();
                Self::repay(books, ours);
            }
        });
        let place = self.place_of(id);
        match step {
            DisputeStep::Open | DisputeStep::OpenAndLose => self.payments[place].disputed += Decimal::new(amount, 2),
            DisputeStep::Win => self.payments[place].disputed -= Decimal::new(amount, 2),
            DisputeStep::Lose | DisputeStep::Forget => {}
        }
        self.disputes.insert(id, (amount, told));
    }

    /// The sale is undone, once.
    fn give_back(&mut self, id: AssignmentId) {
        let (seller, buyer) = (self.wallet.seller, self.wallet.buyer);
        let Some(bought) = self.ledger.iter().find(|posting| posting.kind == PostingKind::LeadPurchase(id)) else {
            return;
        };
        if self.ledger.iter().any(|posting| posting.kind == PostingKind::LeadReturn(id)) {
            return;
        }
        let others = bought.entries.iter().filter(|entry| entry.wallet.is_none());
        let shares: Vec<_> = others.map(|entry| (entry.account.kind, entry.amount)).collect();
        let price = shares.iter().map(|(_, share)| *share).sum();
        let sale = PaidSale { assignment: id, seller, buyer, price, shares };
        self.change(|books, ours| {
            books.give_back(&sale, String::new(), PostingId::new(), ours.now).unwrap();
            Self::repay(books, ours);
        });
    }

    fn deliver(&mut self, provider: &Provider, news: &News) {
        match news {
            News::Charge { payment, state } => {
                let intent = provider.charges[payment].intent.clone();
                self.hear(*payment, &intent, *state);
            }
            News::Refund { refund, failed } => {
                let told = if *failed { RefundState::Failed } else { RefundState::Succeeded };
                self.hear_refund(provider, *refund, told, true);
            }
            News::Refunded { payment } => self.look_at_refunds(provider, *payment),
            News::Dispute { payment, cents, state } => self.hear_dispute(provider, *payment, *cents, state_of(*state)),
        }
    }

    /// What a worker does about everything that is open: it asks with the same key.
    fn ask(&mut self, provider: &mut Provider) {
        for place in 0..self.payments.len() {
            let payment = self.payments[place].clone();
            if payment.state.is_open() {
                let state = provider.charge(payment.id, cents(payment.amount.amount()), Charge::Succeeded);
                let intent = provider.charges[&payment.id].intent.clone();
                self.hear(payment.id, &intent, state);
            }
        }
        let open: Vec<RefundId> =
            self.refunds.iter().filter(|(_, it)| it.state == RefundState::Pending).map(|(id, _)| *id).collect();
        for refund in open {
            self.order_refund(provider, refund, Fault::None);
        }
    }

    fn check(&self) {
        let wallet = &self.wallet;
        assert!(wallet.available() >= Decimal::ZERO && wallet.held >= Decimal::ZERO, "{wallet:?}");
        assert_eq!(wallet.balance, self.sum(AccountKind::BuyerWallet));
        assert_eq!(wallet.debt, -self.sum(AccountKind::BuyerDebt));
        let open = self.disputes.values().filter(|(_, state)| *state == DisputeState::Open).count();
        assert_eq!(usize::try_from(wallet.open_disputes).unwrap(), open);
        assert!(open == 0 || wallet.suspended, "{wallet:?}");
        assert!(open > 0 || !wallet.debt.is_zero() || !wallet.suspended, "{wallet:?}");
        let recharges = self.payments.iter().filter(|it| it.kind == PaymentKind::Recharge && it.state.is_open());
        assert!(recharges.count() <= 1, "two recharges under way");
        for payment in &self.payments {
            let credits = *self.credits.get(&payment.id).unwrap_or(&0);
            assert_eq!(credits, usize::from(payment.state == PaymentState::Succeeded));
        }
    }

    fn sum(&self, kind: AccountKind) -> Decimal {
        self.sums.get(&kind).copied().unwrap_or_default()
    }

    /// Ours is what the provider's own record says.
    fn check_against(&self, provider: &Provider) {
        let (mut taken, mut disputed) = (0, 0);
        for payment in &self.payments {
            let charge = provider.charges.get(&payment.id);
            let succeeded = charge.is_some_and(|charge| charge.state == Charge::Succeeded);
            assert_eq!(payment.state == PaymentState::Succeeded, succeeded, "{payment:?} {charge:?}");
            assert!(!payment.state.is_open() || charge.is_some_and(|it| it.state == Charge::RequiresAction));
            let Some(charge) = charge.filter(|_| succeeded) else { continue };
            assert_eq!(cents(payment.received), charge.cents);
            assert_eq!(cents(payment.refunded), charge.refunded(), "{payment:?} {charge:?}");
            taken += charge.cents - charge.refunded();
            let lost_or_open = charge.dispute.filter(|(_, state)| *state != Dispute::Won).map_or(0, |(cents, _)| cents);
            assert_eq!(cents(payment.disputed), lost_or_open);
            match charge.dispute {
                Some((cents, Dispute::Lost)) => taken -= cents,
                Some((cents, Dispute::Open)) => disputed += cents,
                _ => {}
            }
        }
        assert_eq!(-cents(self.sum(AccountKind::CardClearing)), taken);
        assert_eq!(cents(self.sum(AccountKind::Disputed)), disputed);
        assert_eq!(
            provider.charges.len(),
            provider.charges.keys().filter(|id| self.payments.iter().any(|it| it.id == **id)).count()
        );
    }
}

const fn state_of(state: Dispute) -> DisputeState {
    match state {
        Dispute::Open => DisputeState::Open,
        Dispute::Won => DisputeState::Won,
        Dispute::Lost => DisputeState::Lost,
    }
}

fn charge(ours: &mut Ours, provider: &mut Provider, id: PaymentId, outcome: Charge, fault: Fault) {
    if fault == Fault::LostRequest {
        return;
    }
    let amount = cents(ours.payments[ours.place_of(id)].amount.amount());
    let state = provider.charge(id, amount, outcome);
    if fault == Fault::None {
        let intent = provider.charges[&id].intent.clone();
        ours.hear(id, &intent, state);
    }
}

fn run(steps: Vec<Step>, enabled: bool, cover: bool) {
    let (mut ours, mut provider) = (Ours::new(enabled, cover), Provider::default());
    let mut wanted = None;
    for step in steps {
        let nth = |ours: &Ours, payment: usize| ours.payments.get(payment).map(|it| it.id);
        match step {
            Step::TopUp { cents, outcome, fault } => {
                let id = ours.order(PaymentKind::TopUp, money(cents));
                charge(&mut ours, &mut provider, id, outcome, fault);
            }
            Step::LookAtWallet { outcome, fault } => {
                let open = ours.payments.iter().any(|it| it.kind == PaymentKind::Recharge && it.state.is_open());
                let due = ours.recharge.due(&ours.wallet, Some(ours.card), wanted, Decimal::from(500), ours.now);
                if let (false, Ok(amount)) = (open, due) {
                    assert!(ours.recharge.not_before.is_none_or(|at| at <= ours.now), "an attempt before its time");
                    ours.recharge.attempted(ours.now, ours.wallet.terms.time_zone);
                    let id = ours.order(PaymentKind::Recharge, Money::new(amount, Currency::USD).unwrap());
                    charge(&mut ours, &mut provider, id, outcome, fault);
                }
            }
            Step::Ask => ours.ask(&mut provider),
            Step::Confirm { payment } => nth(&ours, payment).into_iter().for_each(|id| provider.confirm(id)),
            Step::GiveUp { payment } => {
                if let Some(id) = nth(&ours, payment)
                    && let Some(state) = provider.cancel(id)
                {
                    let intent = provider.charges[&id].intent.clone();
                    ours.hear(id, &intent, state);
                }
            }
            Step::Credit { cents } => ours.change(|books, ours| {
                let (seller, buyer) = (ours.wallet.seller, ours.wallet.buyer);
                books.credit(seller, buyer, money(cents), String::new(), PostingId::new(), ours.now).unwrap();
                Ours::repay(books, ours);
            }),
            Step::Hold { hold, cents } => {
                let price = money(cents).amount();
                let outcome = ours.change(|books, ours| {
                    let mut asked = request(&ours.wallet, &price.to_string());
                    asked.id = ours.hold_ids[hold];
                    books.place(&asked, ours.now)
                });
                if outcome == HoldOutcome::InsufficientFunds {
                    wanted = Some(leadflow_billing_domain::Wanted { price, at: ours.now });
                }
            }
            Step::Capture { hold } => {
                if let Some(held) = ours.holds.get(&ours.hold_ids[hold]).cloned() {
                    ours.change(|books, ours| {
                        let mut asked = request(&ours.wallet, &held.amount.to_string());
                        asked.id = held.id;
                        // One that was given back is paid only if there is money.
                        let _ = books.capture(&sale(&asked), PostingId::new(), ours.now);
                    });
                }
            }
            Step::Release { hold } => {
                let id = ours.hold_ids[hold];
                ours.change(|books, ours| books.release(id, None, ours.now));
            }
            Step::Return { hold } => ours.give_back(ours.hold_ids[hold]),
            Step::Refund { cents: amount, fault } => {
                let mut newest: Vec<CardPayment> =
                    ours.payments.iter().rev().filter(|it| it.state == PaymentState::Succeeded).cloned().collect();
                newest.retain(|it| it.refundable() > Decimal::ZERO);
                let Ok(parts) = allocate(Decimal::new(amount, 2), ours.wallet.available(), &newest) else { continue };
                let mut made = Vec::new();
                for (payment, part) in parts {
                    let it = ours.moved(payment);
                    ours.change(|books, _| books.refunded(it, money(cents(part)), String::new()).unwrap());
                    let place = ours.place_of(payment);
                    ours.payments[place].refunded += part;
                    let id = RefundId::new();
                    let refund = OurRefund { payment, cents: cents(part), state: RefundState::Pending, taken: false };
                    ours.refunds.insert(id, refund);
                    made.push(id);
                }
                for id in made {
                    ours.order_refund(&mut provider, id, fault);
                }
            }
            Step::RefundElsewhere { payment, cents } => {
                nth(&ours, payment).into_iter().for_each(|id| provider.refund_elsewhere(id, cents));
            }
            Step::FailRefund { payment } => nth(&ours, payment).into_iter().for_each(|id| provider.fail_refund(id)),
            Step::Dispute { payment } => nth(&ours, payment).into_iter().for_each(|id| provider.dispute(id)),
            Step::Decide { payment, won } => nth(&ours, payment).into_iter().for_each(|id| provider.decide(id, won)),
            Step::Deliver { message, again } if !provider.sent.is_empty() => {
                let place = message % provider.sent.len();
                let news = if again { provider.sent[place].clone() } else { provider.sent.swap_remove(place) };
                ours.deliver(&provider, &news);
            }
            Step::Lose { message } if !provider.sent.is_empty() => {
                let place = message % provider.sent.len();
                provider.sent.swap_remove(place);
            }
            Step::Deliver { .. } | Step::Lose { .. } => {}
            Step::Wait { minutes } => ours.now += TimeDelta::minutes(minutes),
        }
        ours.check();
    }
    // The news that is left comes, in a bad order; what was lost is found by asking.
    while let Some(news) = provider.sent.pop() {
        ours.deliver(&provider, &news);
        ours.check();
    }
    ours.ask(&mut provider);
    let charges = provider.charges.clone();
    for (id, record) in &charges {
        ours.hear(*id, &record.intent, record.state);
        for (key, (_, failed)) in &record.refunds {
            if let RefundKey::Ours(refund) = key {
                let told = if *failed { RefundState::Failed } else { RefundState::Succeeded };
                ours.hear_refund(&provider, *refund, told, true);
            }
        }
        ours.look_at_refunds(&provider, *id);
        if let Some((amount, state)) = record.dispute {
            ours.hear_dispute(&provider, *id, amount, state_of(state));
        }
    }
    ours.check();
    ours.check_against(&provider);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_ours_is_in_the_end_what_the_provider_says(
        steps in steps(),
        enabled in any::<bool>(),
        cover in any::<bool>(),
    ) {
        run(steps, enabled, cover);
    }
}
