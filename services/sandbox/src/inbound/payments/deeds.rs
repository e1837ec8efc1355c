//! What the buttons of the page do.

use serde::Deserialize;
use serde_json::json;

use crate::{
    Sandbox,
    payments::{Behaviour, Rule},
    stripe::{Params, StripeError},
};

/// A button that was pressed.
#[derive(Deserialize)]
pub(super) struct Deed {
    #[serde(rename = "do")]
    what: What,
    /// Of the object that it is about.
    #[serde(default)]
    id: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum What {
    Dispute,
    Win,
    Lose,
    Refund,
    RefundHalf,
    FailRefund,
    Spoil,
    Mend,
    Resend,
    LoseRequest,
    LoseAnswer,
    Hang,
    Fail,
    Limit,
    Behave,
    Hold,
    Release,
    Duplicate,
    Drop,
}

pub(super) fn do_it(sandbox: &Sandbox, deed: &Deed) -> Result<(), StripeError> {
    let (payments, id) = (&sandbox.payments, deed.id.as_str());
    match deed.what {
        What::Dispute => payments.with(|core, now| core.dispute(id, None, "fraudulent", now)).map(drop),
        What::Win => payments.with(|core, now| core.close_dispute(id, true, now)).map(drop),
        What::Lose => payments.with(|core, now| core.close_dispute(id, false, now)).map(drop),
        What::Refund => {
            payments.with(|core, now| core.create_refund(&Params::from_json(&json!({ "charge": id })), now)).map(drop)
        }
        What::RefundHalf => payments
            .with(|core, now| {
                let charge = core.charge(id)?;
                let left = charge["amount"].as_i64().unwrap_or(0) - charge["amount_refunded"].as_i64().unwrap_or(0);
                let params = json!({ "charge": id, "amount": (left / 2).max(1) });
                core.create_refund(&Params::from_json(&params), now)
            })
            .map(drop),
        What::FailRefund => payments.with(|core, now| core.fail_refund(id, None, now)).map(drop),
        What::Spoil => payments.with(|core, _| core.tell_card(id, Some("insufficient_funds"))).map(drop),
        What::Mend => payments.with(|core, _| core.tell_card(id, None)).map(drop),
        What::Resend => payments.with(|core, now| core.resend(id, now)).map(drop),
        What::LoseRequest => misbehave(sandbox, &json!({ "fault": "lostRequest" })),
        What::LoseAnswer => misbehave(sandbox, &json!({ "fault": "lostAnswer" })),
        What::Hang => misbehave(sandbox, &json!({ "fault": "hang" })),
        What::Fail => misbehave(sandbox, &json!({ "fault": "status", "status": 500 })),
        What::Limit => misbehave(sandbox, &json!({ "fault": "status", "status": 429 })),
        What::Behave => {
            payments.set_faults(Behaviour::default());
            Ok(())
        }
        What::Hold | What::Release | What::Duplicate | What::Drop => {
            payments.with(|core, _| {
                let mut manners = core.manners().clone();
                match deed.what {
                    What::Hold => manners.hold = true,
                    What::Release => manners.hold = false,
                    What::Duplicate => manners.duplicate_next = manners.duplicate_next.saturating_add(1),
                    _ => manners.drop_next = manners.drop_next.saturating_add(1),
                }
                core.set_manners(manners);
            });
            payments.wake();
            Ok(())
        }
    }
}

/// Once, for the next call that makes or changes something.
fn misbehave(sandbox: &Sandbox, fault: &serde_json::Value) -> Result<(), StripeError> {
    let mut rule = fault.clone();
    rule["method"] = "POST".into();
    let mut behaviour = sandbox.payments.faults();
    // Written above, so it is a rule.
    behaviour.rules.extend(serde_json::from_value::<Rule>(rule));
    match behaviour.problem() {
        Some(problem) => Err(StripeError::refused(problem)),
        None => {
            sandbox.payments.set_faults(behaviour);
            Ok(())
        }
    }
}
