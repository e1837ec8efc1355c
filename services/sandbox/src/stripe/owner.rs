//! The card's owner: his card on the front end's form, and his answer to his bank's question.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    intents::{How, unexpected},
};

impl Core {
    /// Does what Stripe's form for cards does with a client secret: confirms the payment or setup intent with a card, that is
    /// a number or a name such as `pm_card_visa`, or with the one that is there.
    ///
    /// # Errors
    /// As the confirmation; 404 for a secret that is none.
    pub fn confirm_with_card(&mut self, secret: &str, card: Option<&str>, now: DateTime<Utc>) -> Outcome {
        let id = self.of_secret(secret)?;
        let mut params = json!({ "client_secret": secret });
        match card {
            Some(name) if name.starts_with("pm_") => params["payment_method"] = name.into(),
            Some(number) => params["payment_method_data"] = json!({ "type": "card", "card": { "number": number } }),
            None => {}
        }
        if id.starts_with("seti_") {
            return self.confirm_setup_intent(&id, &Params::from_json(&params), now);
        }
        self.confirm(&id, &Params::from_json(&params), true, now)
    }

    /// The card's owner answers his bank's question: he confirms, or does not.
    ///
    /// # Errors
    /// 404 for a secret that is none; 400 if nobody is asked.
    pub fn authenticate(&mut self, secret: &str, confirms: bool, now: DateTime<Utc>) -> Outcome {
        let id = self.of_secret(secret)?;
        let (status, method) = match (self.intents.get(&id), self.setups.get(&id)) {
            (Some(row), _) => (row.status.clone(), row.payment_method.clone()),
            (_, Some(row)) => (row.status.clone(), row.payment_method.clone()),
            _ => return Err(StripeError::missing("intent", &id, "client_secret")),
        };
        if status != "requires_action" {
            return Err(unexpected("payment_intent_unexpected_state", format!("Nobody is asked: it is {status}.")));
        }
        let pays = id.starts_with("pi_");
        let message = "We are unable to authenticate your payment method. Please choose a different payment method and try \
                       again.";
        // What follows is told by the state of the intent: whoever sent the owner here looks at that.
        let _ = match (pays, confirms, method) {
            (true, true, _) => self.pay(&id, &How { authenticated: true, ..How::default() }, now),
            (false, true, _) => self.set_up(&id, true, now),
            (true, false, method) => {
                let error = StripeError::card("payment_intent_authentication_failure", None, message);
                Err(self.payment_failed(&id, &method.unwrap_or_default(), error, now))
            }
            (false, false, method) => {
                let error = StripeError::card("setup_intent_authentication_failure", None, message);
                Err(self.setup_failed(&id, &method.unwrap_or_default(), error, now))
            }
        };
        self.intent_of_secret(secret)
    }

    /// The payment or setup intent that a client secret is of. Beside what Stripe shows there is its `return_url`.
    ///
    /// # Errors
    /// 404 for a secret that is none.
    pub fn intent_of_secret(&self, secret: &str) -> Outcome {
        let id = self.of_secret(secret)?;
        let (mut it, back) = match self.intents.get(&id) {
            Some(row) => (self.show_intent(row), row.return_url.clone()),
            None => (self.setup_intent(&id)?, self.setups.get(&id).and_then(|row| row.return_url.clone())),
        };
        it["return_url"] = back.into();
        Ok(it)
    }

    /// The intent that a client secret is of.
    fn of_secret(&self, secret: &str) -> Result<String, StripeError> {
        let id = secret.split("_secret").next().unwrap_or_default();
        let known = match (self.intents.get(id), self.setups.get(id)) {
            (Some(row), _) => row.client_secret == secret,
            (_, Some(row)) => row.client_secret == secret,
            _ => false,
        };
        if known { Ok(id.to_owned()) } else { Err(StripeError::missing("intent", id, "client_secret")) }
    }

    /// A call that shows a client secret must show the right one.
    pub(super) fn check_secret(&self, id: &str, params: &Params) -> Result<(), StripeError> {
        let Some(shown) = params.text("client_secret")? else { return Ok(()) };
        match self.of_secret(shown) {
            Ok(of) if of == id => Ok(()),
            _ => {
                let message =
                    "The client_secret provided does not match the client_secret associated with this object.";
                Err(StripeError::invalid(message).param("client_secret"))
            }
        }
    }
}
