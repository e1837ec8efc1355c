//! What billing's client sends to Stripe, sent to the sandbox's machine, and what goes wrong on the way.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{CardPayment, ChargeNews, DisputeState, PaymentKind, RefundState};
use leadflow_kernel::{Currency, Money, PaymentId, RefundId};
use leadflow_sandbox::stripe::{Answer, Call, Core, Failing, Method, Params, StripeError};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// It does not arrive.
    LostRequest,
    /// It is carried out, and nobody hears of it.
    LostAnswer,
    /// It is carried out some time later, and nobody hears of it.
    Late,
    /// 429.
    Busy,
    /// 500, which its key answers from then on, whether it was carried out or not.
    Broken {
        executed: bool,
    },
}

/// Why there is no answer, in the words of billing's client.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// It may have happened, or the line is busy: asked again later.
    Later,
    /// Nothing happened, and asking again is of no use.
    Refused(String),
    /// A card declined.
    Card(Value),
    /// A failure of Stripe's own: it may have happened, and the key brings the same answer again.
    Theirs,
}

/// A charge as it was shown.
#[derive(Debug, Clone)]
pub struct Intent {
    pub id: String,
    pub payment: Option<PaymentId>,
    pub news: ChargeNews,
    pub refunded: Decimal,
}

/// A refund as it was shown.
#[derive(Debug, Clone)]
pub struct FoundRefund {
    pub id: String,
    pub ours: Option<RefundId>,
    pub intent: String,
    pub state: RefundState,
}

/// A dispute as it was shown.
#[derive(Debug, Clone)]
pub struct FoundDispute {
    pub id: String,
    pub intent: String,
    pub amount: Decimal,
    pub state: DisputeState,
}

#[derive(Debug, Clone)]
struct Sent {
    path: String,
    params: Params,
    key: String,
}

/// The line to Stripe.
#[derive(Debug, Clone)]
pub struct Stripe {
    pub core: Core,
    faults: VecDeque<Fault>,
    late: Vec<Sent>,
    fresh: u32,
}

pub fn money(amount: Decimal) -> Money {
    Money::new(amount, Currency::USD).unwrap()
}

pub fn cents(amount: Decimal) -> i64 {
    i64::try_from(amount * Decimal::ONE_HUNDRED).unwrap()
}

pub fn dollars(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_else(|| of["id"].as_str().unwrap_or_default()).to_owned()
}

impl Stripe {
    pub fn new(core: Core) -> Self {
        Self { core, faults: VecDeque::new(), late: Vec::new(), fresh: 0 }
    }

    /// What happens to the next calls; all after them are answered.
    pub fn faults(&mut self, faults: &[Fault]) {
        self.faults = faults.iter().copied().collect();
    }

    /// Calls that were held up arrive now.
    pub fn late_calls_arrive(&mut self, now: DateTime<Utc>) {
        for Sent { path, params, key } in std::mem::take(&mut self.late) {
            self.core.call(&Call { method: Method::Post, path: &path, params: &params, key: Some(&key) }, now);
        }
    }

    pub fn post(&mut self, path: &str, params: &Value, key: &str, now: DateTime<Utc>) -> Result<Value, Refusal> {
        let params = Params::from_json(params);
        let call = Call { method: Method::Post, path, params: &params, key: Some(key) };
        match self.faults.pop_front().unwrap_or(Fault::None) {
            Fault::None => read(self.core.call(&call, now)),
            Fault::LostRequest => Err(Refusal::Later),
            Fault::LostAnswer => {
                self.core.call(&call, now);
                Err(Refusal::Later)
            }
            Fault::Late => {
                let params = params.clone();
                self.late.push(Sent { path: path.to_owned(), params, key: key.to_owned() });
                Err(Refusal::Later)
            }
            Fault::Busy => read(self.core.fail(&call, &StripeError::injected(429), Failing::default(), now)),
            Fault::Broken { executed } => {
                let failing = Failing { executed, remembered: true };
                read(self.core.fail(&call, &StripeError::injected(500), failing, now))
            }
        }
    }

    pub fn get(&mut self, path: &str, params: &Value, now: DateTime<Utc>) -> Result<Value, Refusal> {
        if self.faults.pop_front().is_some_and(|fault| fault != Fault::None) {
            return Err(Refusal::Later);
        }
        let params = Params::from_json(params);
        read(self.core.call(&Call { method: Method::Get, path, params: &params, key: None }, now))
    }

    /// A list, page by page.
    fn all(&mut self, path: &str, filter: &Value, now: DateTime<Utc>) -> Result<Vec<Value>, Refusal> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let mut params = filter.clone();
            params["limit"] = 100.into();
            if let Some(last) = rows.last() {
                params["starting_after"] = last["id"].clone();
            }
            let page = self.get(path, &params, now)?;
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] == false {
                return Ok(rows);
            }
        }
    }

    fn fresh_key(&mut self, purpose: &str) -> String {
        self.fresh += 1;
        format!("{purpose}-{}", self.fresh)
    }

    /// Charges a card; the payment's id is the key. A decline is an answer.
    pub fn charge(&mut self, payment: &CardPayment, now: DateTime<Utc>) -> Result<Intent, Refusal> {
        let mut params = json!({
            "amount": cents(payment.amount.amount()), "currency": "usd", "customer": payment.customer,
            "payment_method": payment.payment_method, "confirm": true, "description": "Wallet",
            "automatic_payment_methods": {"enabled": true, "allow_redirects": "never"},
            "metadata": {"payment_id": payment.id.to_string(), "seller_id": payment.seller.to_string()},
            "expand": ["latest_charge"]
        });
        if payment.kind == PaymentKind::Recharge {
            params["off_session"] = true.into();
        }
        match self.post("payment_intents", &params, &payment.id.to_string(), now) {
            Ok(made) => Ok(intent(&made)),
            Err(Refusal::Card(error)) if error["payment_intent"].is_object() => {
                let mut shown = intent(&error["payment_intent"]);
                if matches!(shown.news, ChargeNews::Declined(_) | ChargeNews::Processing) {
                    shown.news = ChargeNews::Declined(decline_code(&error));
                }
                Ok(shown)
            }
            Err(Refusal::Card(error)) => match self.find_intent(&payment.customer, payment.id, now)? {
                Some(found) => Ok(found),
                None => Err(Refusal::Refused(decline_code(&error))),
            },
            Err(Refusal::Theirs) => {
                let found = self.find_intent(&payment.customer, payment.id, now);
                found.ok().flatten().ok_or(Refusal::Later)
            }
            Err(other) => Err(other),
        }
    }

    pub fn intent(&mut self, id: &str, now: DateTime<Utc>) -> Result<Intent, Refusal> {
        Ok(intent(&self.get(&format!("payment_intents/{id}"), &json!({"expand": ["latest_charge"]}), now)?))
    }

    /// By its metadata, for when the key is too old to ask with.
    pub fn find_intent(
        &mut self,
        customer: &str,
        payment: PaymentId,
        now: DateTime<Utc>,
    ) -> Result<Option<Intent>, Refusal> {
        let all = self.all("payment_intents", &json!({ "customer": customer }), now)?;
        let wanted = payment.to_string();
        match all.iter().find(|row| row["metadata"]["payment_id"] == wanted) {
            Some(found) => self.intent(&text(&found["id"]), now).map(Some),
            None => Ok(None),
        }
    }

    pub fn cancel(&mut self, id: &str, now: DateTime<Utc>) -> Result<Intent, Refusal> {
        let key = self.fresh_key("cancel");
        let params = json!({"expand": ["latest_charge"]});
        match self.post(&format!("payment_intents/{id}/cancel"), &params, &key, now) {
            Ok(canceled) => Ok(intent(&canceled)),
            Err(Refusal::Refused(code)) if code == "payment_intent_unexpected_state" => self.intent(id, now),
            Err(other) => Err(other),
        }
    }

    /// The refund's id is the key.
    pub fn refund(
        &mut self,
        (ours, payment): (RefundId, PaymentId),
        intent: &str,
        amount: Decimal,
        now: DateTime<Utc>,
    ) -> Result<FoundRefund, Refusal> {
        let params = json!({
            "payment_intent": intent, "amount": cents(amount), "reason": "requested_by_customer",
            "metadata": {"refund_id": ours.to_string(), "payment_id": payment.to_string()}
        });
        match self.post("refunds", &params, &ours.to_string(), now) {
            Err(Refusal::Theirs) => {
                let all = self.refunds_of(intent, now).unwrap_or_default();
                all.into_iter().find(|found| found.ours == Some(ours)).ok_or(Refusal::Later)
            }
            answer => Ok(found_refund(&answer?)),
        }
    }

    pub fn refund_now(&mut self, id: &str, now: DateTime<Utc>) -> Result<FoundRefund, Refusal> {
        Ok(found_refund(&self.get(&format!("refunds/{id}"), &json!({}), now)?))
    }

    pub fn refunds_of(&mut self, intent: &str, now: DateTime<Utc>) -> Result<Vec<FoundRefund>, Refusal> {
        Ok(self.all("refunds", &json!({ "payment_intent": intent }), now)?.iter().map(found_refund).collect())
    }

    pub fn dispute_now(&mut self, id: &str, now: DateTime<Utc>) -> Result<FoundDispute, Refusal> {
        let found = self.get(&format!("disputes/{id}"), &json!({}), now)?;
        Ok(FoundDispute {
            id: text(&found["id"]),
            intent: text(&found["payment_intent"]),
            amount: dollars(found["amount"].as_i64().unwrap()),
            state: match found["status"].as_str().unwrap() {
                "won" => DisputeState::Won,
                "lost" => DisputeState::Lost,
                _ => DisputeState::Open,
            },
        })
    }

    /// What moved the balance: kind, the source's id, and the charge's intent.
    pub fn movements(&mut self, now: DateTime<Utc>) -> Vec<(String, String, String)> {
        let all = self.all("balance_transactions", &json!({"expand": ["data.source"]}), now).unwrap();
        all.iter()
            .map(|row| (text(&row["type"]), text(&row["source"]), text(&row["source"]["payment_intent"])))
            .collect()
    }
}

/// As billing's client understands an answer.
fn read(answer: Answer) -> Result<Value, Refusal> {
    let error = &answer.body["error"];
    let code = error["code"].as_str().unwrap_or_default().to_owned();
    match answer.status {
        200 => Ok(answer.body),
        409 | 429 => Err(Refusal::Later),
        402 if error["type"] == "card_error" => Err(Refusal::Card(error.clone())),
        400..=499 => Err(Refusal::Refused(code)),
        _ => Err(Refusal::Theirs),
    }
}

fn decline_code(error: &Value) -> String {
    let of = |name: &str| error[name].as_str().map(str::to_owned);
    of("decline_code").or_else(|| of("code")).unwrap_or_else(|| "card_declined".to_owned())
}

fn intent(from: &Value) -> Intent {
    let received = dollars(from["amount_received"].as_i64().unwrap());
    Intent {
        id: text(&from["id"]),
        payment: from["metadata"]["payment_id"].as_str().and_then(|id| id.parse().ok()),
        news: match from["status"].as_str().unwrap() {
            "succeeded" => ChargeNews::Succeeded(money(received)),
            "requires_action" => ChargeNews::RequiresAction(from["client_secret"].as_str().map(str::to_owned)),
            "canceled" => ChargeNews::Canceled,
            "requires_payment_method" => ChargeNews::Declined(decline_code(&from["last_payment_error"])),
            _ => ChargeNews::Processing,
        },
        refunded: dollars(from["latest_charge"]["amount_refunded"].as_i64().unwrap_or_default()),
    }
}

fn found_refund(from: &Value) -> FoundRefund {
    FoundRefund {
        id: text(&from["id"]),
        ours: from["metadata"]["refund_id"].as_str().and_then(|id| id.parse().ok()),
        intent: text(&from["payment_intent"]),
        state: match from["status"].as_str().unwrap() {
            "succeeded" => RefundState::Succeeded,
            "failed" | "canceled" => RefundState::Failed,
            _ => RefundState::Pending,
        },
    }
}
