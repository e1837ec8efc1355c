//! What the provider was told to do wrong.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How id tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Signing {
    /// With the newest key.
    #[default]
    Good,
    /// With a key that is not shown, under the name of one that is.
    Foreign,
    /// Not at all.
    None,
}

/// The manners of the provider.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Misbehaviour {
    /// Claims that are put over the right ones; `null` takes one away.
    #[serde(default)]
    pub(super) claims: Map<String, Value>,
    #[serde(default)]
    pub(super) signature: Signing,
    /// What clients who want a token are answered instead: 400 to 599.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_status: Option<u16>,
}

impl Misbehaviour {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.token_status {
            Some(status) if !(400..=599).contains(&status) => Some("tokenStatus must be 400 to 599"),
            _ => None,
        }
    }

    pub(super) fn apply(&self, claims: &mut Map<String, Value>) {
        for (name, value) in &self.claims {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
    }
}
