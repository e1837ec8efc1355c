//! One history from its first step to the comparison at its end.

use std::ops::AddAssign;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_sandbox::stripe::{Call, Core, Method, Params, Settings};
use serde_json::{Value, json};

use crate::{
    checks,
    ours::{News, Ours},
    post::Post,
    steps::{History, Step},
    stripe::{Stripe, dollars},
};

/// How the stored cards behave.
const CARDS: [&str; 7] = [
    "visa",
    "mastercard",
    "authenticationRequired",
    "authenticationRequiredOnSetup",
    "createDispute",
    "pendingRefund",
    "refundFail",
];
/// Hours between the times that a worker asks about everything in the end. Each rule has come to its end by then: keys are forgotten
/// after a day, and what is found only then, and waits for a card's owner, is given up an hour later.
const ROUNDS: [i64; 5] = [0, 2, 12, 24, 2];

/// How much happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub histories: usize,
    pub charges: usize,
    pub declines: usize,
    pub refunds: usize,
    pub foreign_refunds: usize,
    pub failed_refunds: usize,
    pub disputes: usize,
    pub lost_events: usize,
    /// What only comparing the books has found.
    pub found_by_comparing: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.histories += other.histories;
        self.charges += other.charges;
        self.declines += other.declines;
        self.refunds += other.refunds;
        self.foreign_refunds += other.foreign_refunds;
        self.failed_refunds += other.failed_refunds;
        self.disputes += other.disputes;
        self.lost_events += other.lost_events;
        self.found_by_comparing += other.found_by_comparing;
    }
}

/// A customer with cards that are stored, from whom every history begins.
#[derive(Clone)]
pub struct Beginning {
    core: Core,
    customer: String,
    methods: Vec<String>,
    now: DateTime<Utc>,
}

impl Beginning {
    pub fn new() -> Self {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut core = Core::new(Settings::default());
        let post = |core: &mut Core, path: &str, params: &Value| {
            let params = Params::from_json(params);
            let answer = core.call(&Call { method: Method::Post, path, params: &params, key: None }, now);
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.body
        };
        let made = post(&mut core, "customers", &json!({"email": "buyer@example.com"}));
        let customer = made["id"].as_str().unwrap().to_owned();
        let methods = CARDS.map(|card| {
            let setup = post(&mut core, "setup_intents", &json!({"customer": customer, "usage": "off_session"}));
            let secret = setup["client_secret"].as_str().unwrap();
            let mut shown = core.confirm_with_card(secret, Some(&format!("pm_card_{card}")), now).unwrap();
            if shown["status"] == "requires_action" {
                shown = core.authenticate(secret, true, now).unwrap();
            }
            assert_eq!(shown["status"], "succeeded", "{shown}");
            shown["payment_method"].as_str().unwrap().to_owned()
        });
        Self { core, customer, methods: methods.to_vec(), now }
    }
}

/// One of them, where there are any.
fn nth<T>(of: &[T], at: usize) -> Option<&T> {
    of.get(at.checked_rem(of.len())?)
}

struct Life {
    ours: Ours,
    post: Post,
    /// What was seen and is not booked yet.
    seen: Vec<News>,
    tally: Tally,
}

/// Lives through it.
pub fn run(beginning: &Beginning, history: &History) -> Tally {
    let Beginning { core, customer, methods, now } = beginning;
    let stripe = Stripe::new(core.clone());
    let (recharges, covers) = (history.recharges, history.covers_waiting_lead);
    let mut life = Life {
        ours: Ours::new(stripe, customer, methods, recharges, covers, *now),
        post: Post::default(),
        seen: Vec::new(),
        tally: Tally { histories: 1, ..Tally::default() },
    };
    life.post.collect(&life.ours.stripe.core);
    for step in &history.steps {
        life.step(step);
        life.ours.stripe.faults(&[]);
        life.post.collect(&life.ours.stripe.core);
        checks::always(&life.ours);
    }
    life.end();
    life.tally
}

impl Life {
    fn step(&mut self, step: &Step) {
        let ours = &mut self.ours;
        match *step {
            Step::TopUp { cents, card, faults } => {
                ours.stripe.faults(&faults);
                ours.top_up(dollars(cents), card);
            }
            Step::LookAtWallet { card, faults } => {
                ours.stripe.faults(&faults);
                ours.look_at_wallet(card);
            }
            Step::Ask { payment, faults } => {
                ours.stripe.faults(&faults);
                if let Some(id) = nth(&ours.payments, payment).map(|it| it.id) {
                    ours.ask(id);
                }
            }
            Step::AskAboutRefund { refund, faults } => {
                ours.stripe.faults(&faults);
                if let Some(id) = nth(&ours.refunds, refund).map(|it| it.id) {
                    ours.ask_about_refund(id);
                }
            }
            Step::Credit { cents } => ours.credit(dollars(cents)),
            Step::Hold { hold, cents } => ours.hold(hold, dollars(cents)),
            Step::Capture { hold } => ours.capture(hold),
            Step::Release { hold } => ours.release(hold),
            Step::Return { hold } => ours.return_sale(hold),
            Step::Refund { cents, faults } => {
                ours.stripe.faults(&faults);
                ours.give_back_balance(dollars(cents));
            }
            Step::Deliver { event, again, faults } => {
                if let Some(event) = self.post.take(event, again) {
                    ours.stripe.faults(&faults);
                    self.work_off(event);
                }
            }
            Step::LookAt { event } => {
                if let Some(event) = self.post.take(event, false)
                    && let Ok(Some(news)) = ours.look_at(&event)
                {
                    self.seen.push(news);
                }
            }
            Step::Book { seen, faults } => {
                if !self.seen.is_empty() {
                    ours.stripe.faults(&faults);
                    let news = self.seen.swap_remove(seen % self.seen.len());
                    let _ = ours.book(&news);
                }
            }
            Step::Lose { event } => self.tally.lost_events += usize::from(self.post.take(event, false).is_some()),
            Step::LoseAll => self.tally.lost_events += std::iter::from_fn(|| self.post.pop()).count(),
            Step::Wait { minutes } => {
                // No call is on its way for longer than that.
                ours.stripe.late_calls_arrive(ours.now);
                ours.now += TimeDelta::minutes(minutes);
                ours.stripe.core.advance(ours.now);
            }
            _ => self.elsewhere(step),
        }
    }

    /// What others do at Stripe.
    fn elsewhere(&mut self, step: &Step) {
        let ours = &mut self.ours;
        let now = ours.now;
        let core = &mut ours.stripe.core;
        let record = core.record();
        let charge_of = |payment: usize| {
            let intent = nth(&ours.payments, payment).and_then(|it| it.intent.clone())?;
            record.charges.iter().find(|it| it.intent == intent && it.status == "succeeded")
        };
        // Whatever Stripe refuses does not happen.
        let _ = match *step {
            Step::Authenticate { payment, confirms } => {
                let secret = nth(&ours.payments, payment).and_then(|it| it.client_secret.clone());
                secret.map(|secret| core.authenticate(&secret, confirms, now))
            }
            Step::PayWith { payment, card } => {
                let method = &ours.cards[card % ours.cards.len()].method;
                let intent = nth(&ours.payments, payment).and_then(|it| it.intent.clone());
                intent.map(|intent| {
                    let params = Params::from_json(&json!({ "payment_method": method }));
                    core.confirm_payment_intent(&intent, &params, now)
                })
            }
            Step::Spoil { card, decline } => {
                let method = &ours.cards[card % ours.cards.len()].method;
                Some(core.tell_card(method, decline.then_some("insufficient_funds")))
            }
            Step::RefundElsewhere { payment, cents } => charge_of(payment).map(|charge| {
                let params = json!({"charge": charge.id, "amount": cents.min(charge.amount - charge.refunded)});
                core.create_refund(&Params::from_json(&params), now)
            }),
            Step::FailRefund { refund } => nth(&record.refunds, refund).map(|it| core.fail_refund(&it.id, None, now)),
            Step::Dispute { payment, cents } => charge_of(payment).map(|charge| {
                let amount = cents.min(charge.amount - charge.refunded);
                core.dispute(&charge.id, Some(amount), "fraudulent", now)
            }),
            Step::Close { dispute, won } => {
                nth(&record.disputes, dispute).map(|it| core.close_dispute(&it.id, won, now))
            }
            _ => unreachable!("{step:?}"),
        };
    }

    fn work_off(&mut self, event: Value) {
        let booked = match self.ours.look_at(&event) {
            Ok(Some(news)) => self.ours.book(&news),
            Ok(None) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        if booked.is_err() {
            self.post.keep(event);
        }
    }

    /// The line is good again, and everything is asked about.
    fn end(&mut self) {
        let ours = &mut self.ours;
        ours.stripe.late_calls_arrive(ours.now);
        for news in std::mem::take(&mut self.seen) {
            let _ = ours.book(&news);
            checks::always(ours);
        }
        self.post.collect(&self.ours.stripe.core);
        // The webhooks that were not lost, newest first; some of them can be told only when others, or a worker, were there.
        for hours in ROUNDS {
            self.ours.now += TimeDelta::hours(hours);
            self.ours.stripe.core.advance(self.ours.now);
            self.post.collect(&self.ours.stripe.core);
            let mut bag: Vec<Value> = std::iter::from_fn(|| self.post.pop()).collect();
            bag.drain(..).for_each(|event| {
                self.work_off(event);
                checks::always(&self.ours);
            });
            let ours = &mut self.ours;
            let payments: Vec<_> = ours.payments.iter().map(|it| it.id).collect();
            let refunds: Vec<_> = ours.refunds.iter().map(|it| it.id).collect();
            payments.into_iter().for_each(|id| ours.ask(id));
            refunds.into_iter().for_each(|id| ours.ask_about_refund(id));
            checks::always(ours);
        }
        let found = self.ours.reconcile();
        checks::always(&self.ours);
        assert_eq!(self.ours.reconcile(), Vec::<String>::new(), "still there after comparing once");
        let record = self.ours.stripe.core.record();
        checks::agree(&self.ours, &record);

        let tally = &mut self.tally;
        let foreign = |it: &&leadflow_sandbox::stripe::RefundRecord| !it.metadata.contains_key("refund_id");
        tally.charges = record.charges.iter().filter(|it| it.status == "succeeded").count();
        tally.declines = record.charges.len() - tally.charges;
        tally.refunds = record.refunds.len();
        tally.foreign_refunds = record.refunds.iter().filter(foreign).count();
        tally.failed_refunds = record.refunds.iter().filter(|it| it.status == "failed").count();
        tally.disputes = record.disputes.len();
        tally.found_by_comparing = found.len();
    }
}
