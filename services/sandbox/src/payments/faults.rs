//! What the stand-in for Stripe was told to do wrong.

use std::time::Duration;

use chrono::TimeDelta;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::stripe::Method;

const MAX_RULES: usize = 100;
const MAX_DELAY: u64 = 600_000;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Fault {
    /// No answer, ever; carried out or not.
    Hang {
        #[serde(default)]
        executed: bool,
    },
    /// The connection is cut, and nothing was carried out.
    LostRequest {},
    /// Carried out; then the connection is cut.
    LostAnswer {},
    /// Carried out after a while, also if the caller has gone; until then its idempotency key is in use.
    Slow { delay_ms: u64 },
    /// Another answer.
    Status {
        status: u16,
        /// It was carried out all the same.
        #[serde(default)]
        executed: bool,
        /// Its idempotency key gets this answer from now on, as after a failure of Stripe's own.
        #[serde(default)]
        remembered: bool,
        /// Seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
}

/// When something goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    #[serde(flatten)]
    pub(crate) fault: Fault,
    /// How many times.
    #[serde(default = "once")]
    pub(crate) next: u32,
    /// What the path after `/v1/` begins with; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// `GET`, `POST` or `DELETE`; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Of a hundred calls, so many by chance.
    #[serde(default = "always")]
    pub(crate) percent: u8,
}

const fn once() -> u32 {
    1
}

const fn always() -> u8 {
    100
}

/// All that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Behaviour {
    /// The first that fits counts.
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    /// Searches do not find what is younger than this, in milliseconds.
    #[serde(default)]
    pub(crate) search_lag_ms: u32,
}

impl Behaviour {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.rules.len() > MAX_RULES {
            return Some("at most 100 rules");
        }
        self.rules.iter().find_map(|rule| match rule.fault {
            Fault::Slow { delay_ms } if delay_ms > MAX_DELAY => Some("delayMs is at most 600000"),
            Fault::Status { status, .. } if !(400..=599).contains(&status) => Some("status must be 400 to 599"),
            Fault::Status { remembered: true, status: 409 | 429, .. } => Some("Stripe does not remember 409 and 429"),
            _ if rule.percent > 100 => Some("percent is at most 100"),
            _ if rule.path.as_ref().is_some_and(|path| path.len() > 200) => Some("path is too long"),
            _ if rule.method.as_deref().is_some_and(|it| !["GET", "POST", "DELETE"].contains(&it)) => {
                Some("method is GET, POST or DELETE")
            }
            _ => None,
        })
    }

    pub(crate) fn search_lag(&self) -> TimeDelta {
        TimeDelta::milliseconds(i64::from(self.search_lag_ms))
    }
}

/// The faults that are left.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    behaviour: Behaviour,
}

impl Faults {
    pub(crate) fn set(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    pub(crate) fn get(&self) -> Behaviour {
        self.behaviour.clone()
    }

    /// What happens to this call.
    pub(crate) fn take(&mut self, method: Method, path: &str) -> Option<Fault> {
        let name = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let at = self.behaviour.rules.iter().position(|rule| {
            let wanted = rule.path.as_deref().map(|path| path.trim_start_matches('/').trim_start_matches("v1/"));
            rule.next > 0
                && wanted.is_none_or(|wanted| path.starts_with(wanted))
                && rule.method.as_deref().is_none_or(|method| method == name)
                && (rule.percent == 100 || chance() < rule.percent)
        })?;
        let rule = &mut self.behaviour.rules[at];
        rule.next -= 1;
        let fault = rule.fault;
        if rule.next == 0 {
            self.behaviour.rules.remove(at);
        }
        Some(fault)
    }
}

impl Fault {
    pub(crate) const fn delay(delay_ms: u64) -> Duration {
        Duration::from_millis(delay_ms)
    }
}

/// 0 to 99, each almost as often.
fn chance() -> u8 {
    let mut bytes = [0; 4];
    // Without random numbers, everything goes wrong that may.
    let _ = SystemRandom::new().fill(&mut bytes);
    u8::try_from(u32::from_le_bytes(bytes) % 100).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn rules_count_down_and_the_first_that_fits_counts() {
        let behaviour: Behaviour = from_value(json!({"rules": [
            {"fault": "lostAnswer", "next": 2, "path": "/v1/payment_intents", "method": "POST"},
            {"fault": "status", "status": 500}
        ]}))
        .unwrap();
        assert_eq!(behaviour.problem(), None);
        let mut faults = Faults::default();
        faults.set(behaviour);
        let server_error = Fault::Status { status: 500, executed: false, remembered: false, retry_after: None };
        assert_eq!(faults.take(Method::Get, "payment_intents/pi_1"), Some(server_error));
        assert_eq!(faults.take(Method::Get, "payment_intents/pi_1"), None);
        assert_eq!(faults.take(Method::Post, "payment_intents"), Some(Fault::LostAnswer {}));
        assert_eq!(faults.take(Method::Post, "payment_intents/pi_1/confirm"), Some(Fault::LostAnswer {}));
        assert_eq!(faults.take(Method::Post, "payment_intents"), None);
        assert_eq!(faults.get(), Behaviour::default());
    }

    #[test]
    fn nonsense_is_refused() {
        for nonsense in [
            json!({"rules": [{"fault": "status", "status": 200}]}),
            json!({"rules": [{"fault": "slow", "delayMs": 700_000}]}),
            json!({"rules": [{"fault": "hang", "method": "PATCH"}]}),
            json!({"rules": [{"fault": "status", "status": 429, "remembered": true}]}),
        ] {
            assert!(from_value::<Behaviour>(nonsense.clone()).unwrap().problem().is_some(), "{nonsense}");
        }
        assert!(from_value::<Behaviour>(json!({"rules": [{"fault": "explode"}]})).is_err());
    }
}
