//! A provider of card payments in memory, with the faults of a network in between.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use chrono::{DateTime, Utc};
use leadflow_billing::outbound::{
    provider::{
        Charge, Decline, Intent, IntentStatus, MovementPage, NewCustomer, PaymentProvider, ProviderCard, ProviderError,
        ProviderRefund, RefundOrder, RefundStatus,
    },
    records::{FoundRefund, HeldCard, ProviderDispute, ProviderRecords},
};
use leadflow_kernel::{Money, PaymentId, RefundId};
use tokio::sync::watch;

/// What happens to the next call that moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    LostRequest,
    LostAnswer,
    Busy,
    Refused,
}

/// What a card does when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    Pays,
    Declines(&'static str),
    WantsItsOwner,
}

/// A charge in the provider's books.
#[derive(Debug, Clone)]
pub struct Charged {
    pub payment: PaymentId,
    pub intent: String,
    pub amount: Money,
    pub status: IntentStatus,
    pub off_session: bool,
    pub refunded: Money,
}

#[derive(Debug, Clone)]
struct Refund {
    id: String,
    ours: Option<RefundId>,
    intent: String,
    amount: Money,
    status: RefundStatus,
}

#[derive(Debug, Default)]
struct Books {
    charges: Vec<Charged>,
    refunds: Vec<Refund>,
    /// Which charge a key was used for.
    keys: HashMap<PaymentId, usize>,
    cards: HashMap<String, Card>,
    faults: VecDeque<Fault>,
    calls: usize,
}

/// Cheap to clone; all clones have the same books.
#[derive(Clone)]
pub struct FakeProvider {
    books: Arc<Mutex<Books>>,
    gate: Arc<watch::Sender<bool>>,
    slow: Arc<watch::Sender<Slow>>,
}

/// What happens to the next answer about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    No,
    Next,
    OnItsWay,
}

impl FakeProvider {
    pub fn new() -> Self {
        Self {
            books: Arc::default(),
            gate: Arc::new(watch::Sender::new(true)),
            slow: Arc::new(watch::Sender::new(Slow::No)),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// From now on calls wait before anything happens.
    pub fn close(&self) {
        self.gate.send_replace(false);
    }

    pub fn open(&self) {
        self.gate.send_replace(true);
    }

    /// The next answer about a charge is on its way until it is let go.
    pub fn slow_answer(&self) {
        self.slow.send_replace(Slow::Next);
    }

    pub async fn answer_is_on_its_way(&self) {
        let _ = self.slow.subscribe().wait_for(|slow| *slow == Slow::OnItsWay).await;
    }

    pub fn let_answer_go(&self) {
        self.slow.send_replace(Slow::No);
    }

    pub fn card(&self, payment_method: &str, card: Card) {
        self.books().cards.insert(payment_method.to_owned(), card);
    }

    /// What happens to the next calls that move money, in turn.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.books().faults.extend(faults);
    }

    /// Keys are kept for a day only.
    pub fn forget_keys(&self) {
        self.books().keys.clear();
    }

    pub fn charges(&self) -> Vec<Charged> {
        self.books().charges.clone()
    }

    /// How often a charge was asked for.
    pub fn calls(&self) -> usize {
        self.books().calls
    }

    /// What cards paid and did not get back, in cents.
    pub fn taken(&self) -> i64 {
        let books = self.books();
        let succeeded = books.charges.iter().filter(|charge| charge.status == IntentStatus::Succeeded);
        succeeded.map(|charge| cents(charge.amount) - cents(charge.refunded)).sum()
    }

    pub fn show(&self, payment: PaymentId) -> Intent {
        self.books().charges.iter().find(|charge| charge.payment == payment).map(shown).unwrap()
    }

    /// The card's owner confirms, or the bank thinks again.
    pub fn confirm(&self, payment: PaymentId) -> Intent {
        let mut books = self.books();
        let charge = books.charges.iter_mut().find(|charge| charge.payment == payment).unwrap();
        charge.status = IntentStatus::Succeeded;
        shown(charge)
    }

    /// Somebody gives a part back on the provider's own pages.
    pub fn refund_elsewhere(&self, intent: &str, amount: Money) -> String {
        self.books().refund(None, intent, amount).unwrap().id
    }

    /// The same; false when there is not that much left of the charge.
    pub fn try_refund_elsewhere(&self, intent: &str, amount: Money) -> bool {
        amount.is_positive() && self.books().refund(None, intent, amount).is_ok()
    }

    /// From now on everything works.
    pub fn no_faults(&self) {
        self.books().faults.clear();
    }

    /// A refund does not arrive.
    pub fn fail_refund(&self, id: &str) {
        let mut books = self.books();
        let refund = books.refunds.iter_mut().find(|refund| refund.id == id).unwrap();
        refund.status = RefundStatus::Failed;
        let (intent, amount) = (refund.intent.clone(), refund.amount);
        let charge = books.charges.iter_mut().find(|charge| charge.intent == intent).unwrap();
        charge.refunded = charge.refunded.try_sub(amount).unwrap();
    }

    /// The provider's ids of what went back, and ours.
    pub fn refunds(&self) -> Vec<(String, Option<RefundId>, Money, RefundStatus)> {
        self.books().refunds.iter().map(|it| (it.id.clone(), it.ours, it.amount, it.status)).collect()
    }

    /// Waits at the gate, and tells what goes wrong.
    async fn pass(&self) -> Fault {
        let _ = self.gate.subscribe().wait_for(|open| *open).await;
        self.books().faults.pop_front().unwrap_or(Fault::None)
    }
}

impl Books {
    fn charge(&mut self, order: &Charge) -> Intent {
        if let Some(place) = self.keys.get(&order.payment) {
            return shown(&self.charges[*place]);
        }
        let status = match self.cards.get(&order.payment_method).copied().unwrap_or(Card::Pays) {
            Card::Pays => IntentStatus::Succeeded,
            Card::Declines(code) => IntentStatus::Declined(Decline { code: code.to_owned() }),
            Card::WantsItsOwner => IntentStatus::RequiresAction,
        };
        let charge = Charged {
            payment: order.payment,
            intent: format!("pi_{}", self.charges.len() + 1),
            amount: order.amount,
            status,
            off_session: order.off_session,
            refunded: Money::zero(order.amount.currency()),
        };
        let intent = shown(&charge);
        self.keys.insert(order.payment, self.charges.len());
        self.charges.push(charge);
        intent
    }

    fn refund(&mut self, ours: Option<RefundId>, intent: &str, amount: Money) -> Result<ProviderRefund, ProviderError> {
        if let Some(known) = self.refunds.iter().find(|refund| ours.is_some() && refund.ours == ours) {
            return Ok(answer(known));
        }
        let charge = self.charges.iter_mut().find(|charge| charge.intent == intent).unwrap();
        let refunded = charge.refunded.try_add(amount).unwrap();
        if charge.status != IntentStatus::Succeeded || refunded.amount() > charge.amount.amount() {
            return Err(refused());
        }
        charge.refunded = refunded;
        let id = format!("re_{}", self.refunds.len() + 1);
        let refund = Refund { id, ours, intent: intent.to_owned(), amount, status: RefundStatus::Succeeded };
        self.refunds.push(refund.clone());
        Ok(answer(&refund))
    }
}

fn cents(money: Money) -> i64 {
    i64::try_from(money.amount() * rust_decimal::Decimal::ONE_HUNDRED).unwrap()
}

fn refused() -> ProviderError {
    ProviderError::Refused { code: "refused".to_owned(), message: "No.".to_owned() }
}

fn answer(refund: &Refund) -> ProviderRefund {
    ProviderRefund { id: refund.id.clone(), status: refund.status, amount: refund.amount }
}

fn shown(charge: &Charged) -> Intent {
    let secret = || format!("{}_secret", charge.intent);
    Intent {
        id: charge.intent.clone(),
        payment: Some(charge.payment),
        status: charge.status.clone(),
        amount: charge.amount,
        charge: (charge.status == IntentStatus::Succeeded).then(|| charge.intent.replace("pi_", "ch_")),
        client_secret: (charge.status == IntentStatus::RequiresAction).then(secret),
        refunded: charge.refunded,
    }
}

fn lost() -> ProviderError {
    ProviderError::Unknown("the line went dead".to_owned())
}

#[async_trait::async_trait]
impl PaymentProvider for FakeProvider {
    async fn create_customer(&self, _: &NewCustomer) -> Result<String, ProviderError> {
        Err(ProviderError::NotConfigured)
    }

    async fn create_setup_intent(&self, _: &str) -> Result<String, ProviderError> {
        Err(ProviderError::NotConfigured)
    }

    async fn attach_card(&self, _: &str, _: &str) -> Result<ProviderCard, ProviderError> {
        Err(ProviderError::NotConfigured)
    }

    async fn detach_card(&self, _: &str) -> Result<(), ProviderError> {
        Err(ProviderError::NotConfigured)
    }

    async fn charge(&self, order: &Charge) -> Result<Intent, ProviderError> {
        let fault = self.pass().await;
        let mut books = self.books();
        books.calls += 1;
        match fault {
            Fault::None => Ok(books.charge(order)),
            Fault::LostRequest => Err(lost()),
            Fault::LostAnswer => {
                books.charge(order);
                Err(lost())
            }
            Fault::Busy => Err(ProviderError::Busy("too many requests".to_owned())),
            Fault::Refused => Err(refused()),
        }
    }

    async fn intent(&self, id: &str) -> Result<Intent, ProviderError> {
        let found = self.books().charges.iter().find(|charge| charge.intent == id).map(shown);
        let take = |slow: &mut Slow| {
            let mine = *slow == Slow::Next;
            if mine {
                *slow = Slow::OnItsWay;
            }
            mine
        };
        if self.slow.send_if_modified(take) {
            let _ = self.slow.subscribe().wait_for(|slow| *slow == Slow::No).await;
        }
        found.ok_or_else(refused)
    }

    async fn find_intent(&self, _: &str, payment: PaymentId) -> Result<Option<Intent>, ProviderError> {
        Ok(self.books().charges.iter().find(|charge| charge.payment == payment).map(shown))
    }

    async fn cancel(&self, intent: &str) -> Result<Intent, ProviderError> {
        let mut books = self.books();
        let charge = books.charges.iter_mut().find(|charge| charge.intent == intent).ok_or_else(refused)?;
        if charge.status != IntentStatus::Succeeded {
            charge.status = IntentStatus::Canceled;
        }
        Ok(shown(charge))
    }

    async fn refund(&self, order: &RefundOrder) -> Result<ProviderRefund, ProviderError> {
        let fault = self.pass().await;
        let mut books = self.books();
        match fault {
            Fault::None => books.refund(Some(order.refund), &order.intent, order.amount),
            Fault::LostRequest => Err(lost()),
            Fault::LostAnswer => {
                let _ = books.refund(Some(order.refund), &order.intent, order.amount);
                Err(lost())
            }
            Fault::Busy => Err(ProviderError::Busy("too many requests".to_owned())),
            Fault::Refused => Err(refused()),
        }
    }

    async fn movements(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: Option<&str>,
    ) -> Result<MovementPage, ProviderError> {
        Err(ProviderError::NotConfigured)
    }
}

fn found(refund: &Refund) -> FoundRefund {
    FoundRefund { refund: answer(refund), ours: refund.ours, payment: None, intent: Some(refund.intent.clone()) }
}

#[async_trait::async_trait]
impl ProviderRecords for FakeProvider {
    async fn card_now(&self, _: &str) -> Result<Option<HeldCard>, ProviderError> {
        Err(ProviderError::NotConfigured)
    }

    async fn refund_now(&self, id: &str) -> Result<Option<FoundRefund>, ProviderError> {
        Ok(self.books().refunds.iter().find(|refund| refund.id == id).map(found))
    }

    async fn refunds_of(&self, intent: &str) -> Result<Vec<FoundRefund>, ProviderError> {
        Ok(self.books().refunds.iter().filter(|refund| refund.intent == intent).map(found).collect())
    }

    async fn dispute_now(&self, _: &str) -> Result<Option<ProviderDispute>, ProviderError> {
        Err(ProviderError::NotConfigured)
    }
}
