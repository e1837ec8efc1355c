//! What a receiver's answer means, by its owner's rules.
//!
//! Many CRMs answer 200 to everything and say in the body whether they took a lead. The first rule that fits decides;
//! without one, the status does. A server that is down must not read as a refusal, so answers of 5xx, and those that ask
//! for patience (408, 425, 429), are only read by rules that name their status.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rules of one endpoint.
pub const MAX_RULES: usize = 20;
/// Statuses that one rule may name.
pub const MAX_STATUSES: usize = 20;
/// Bytes of a pointer, and of a text that is compared or looked for.
pub const MAX_TEXT: usize = 500;
/// Characters of a reason that are kept.
pub const MAX_REASON: usize = 200;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Meaning {
    /// The receiver has taken it.
    Accepted,
    /// It does not take it: it has this person already.
    Duplicate,
    /// It does not take it.
    Rejected,
    /// It may take it later.
    Retry,
}

impl Meaning {
    /// As stored and as told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Duplicate => "DUPLICATE",
            Self::Rejected => "REJECTED",
            Self::Retry => "RETRY",
        }
    }
}

/// Fits an answer when all fit that are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRule {
    /// One of these; none: any 2xx and 4xx but 408, 425 and 429.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
    /// A JSON pointer (RFC 6901) at which something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is there, as text; empty: anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub equals: String,
    /// Somewhere in the answer, small and capital letters alike; empty: anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contains: String,
    /// What it means then.
    pub means: Meaning,
}

/// How an endpoint's answers are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AnswerRules {
    /// The first that fits decides.
    pub rules: Vec<AnswerRule>,
    /// Where the reason of a refusal is, a JSON pointer; `None`: the answer's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Why rules are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRuleError {
    /// More than there may be.
    #[error("there may be {MAX_RULES} rules")]
    TooMany,
    /// The reason's place is no pointer.
    #[error(
        "the place of the reason must be empty or begin with a slash, have no ~ but in ~0 and ~1, and be at most {MAX_TEXT} bytes long"
    )]
    Because,
    /// One rule is refused; the first is 1.
    #[error("rule {number} {what}")]
    Rule {
        /// Which.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl AnswerRules {
    /// Whether they can be used.
    ///
    /// # Errors
    /// [`AnswerRuleError`].
    pub fn check(&self) -> Result<(), AnswerRuleError> {
        if self.rules.len() > MAX_RULES {
            return Err(AnswerRuleError::TooMany);
        }
        if self.because.as_deref().is_some_and(|pointer| !is_pointer(pointer)) {
            return Err(AnswerRuleError::Because);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let refused = |what| Err(AnswerRuleError::Rule { number: at + 1, what });
            if rule.statuses.len() > MAX_STATUSES || rule.statuses.iter().any(|status| !(200..=599).contains(status)) {
                return refused("may name 20 statuses from 200 to 599");
            }
            if rule.pointer.as_deref().is_some_and(|pointer| !is_pointer(pointer)) {
                return refused("needs a JSON pointer such as /result/status");
            }
            if rule.pointer.is_none() && !rule.equals.is_empty() {
                return refused("says what is at a JSON pointer, but names none");
            }
            if [&rule.equals, &rule.contains].into_iter().any(|text| text.len() > MAX_TEXT || text.contains('\0')) {
                return refused("has a text of more than 500 bytes, or with a zero byte");
            }
        }
        Ok(())
    }

    /// What the first rule that fits says; `None` without one.
    #[must_use]
    pub fn read(&self, status: u16, body: &str) -> Option<Meaning> {
        // Read once, and only if a rule wants it.
        let mut json = Lazily { body, read: None };
        let mut lower = None;
        let fitting = self.rules.iter().find(|rule| {
            rule.reads(status)
                && rule.pointer.as_deref().is_none_or(|pointer| {
                    json.at(pointer).is_some_and(|found| rule.equals.is_empty() || as_text(found) == rule.equals)
                })
                && (rule.contains.is_empty()
                    || lower.get_or_insert_with(|| body.to_lowercase()).contains(&rule.contains.to_lowercase()))
        });
        fitting.map(|rule| rule.means)
    }

    /// Why the receiver does not take it: never empty, at most [`MAX_REASON`] characters, on one line.
    #[must_use]
    pub fn reason(&self, status: u16, body: &str) -> String {
        let named = self.because.as_deref().and_then(|pointer| {
            let json: Value = serde_json::from_str(body).ok()?;
            json.pointer(pointer).map(as_text)
        });
        let said = [named.as_deref().unwrap_or_default(), body].into_iter().map(one_line).find(|said| !said.is_empty());
        said.unwrap_or_else(|| format!("the receiver answered {status}"))
    }
}

impl AnswerRule {
    fn reads(&self, status: u16) -> bool {
        if self.statuses.is_empty() {
            matches!(status, 200..=299 | 400..=499) && !matches!(status, 408 | 425 | 429)
        } else {
            self.statuses.contains(&status)
        }
    }
}

/// A body that is parsed when it is first asked for.
struct Lazily<'a> {
    body: &'a str,
    read: Option<Option<Value>>,
}

impl Lazily<'_> {
    fn at(&mut self, pointer: &str) -> Option<&Value> {
        self.read.get_or_insert_with(|| serde_json::from_str(self.body).ok()).as_ref()?.pointer(pointer)
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Without characters that could be a line, and cut.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        for c in [' '].into_iter().take(usize::from(count > 0)).chain(word.chars()) {
            if count == MAX_REASON {
                return line;
            }
            line.push(c);
            count += 1;
        }
    }
    line
}

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.len() <= MAX_TEXT && !text.contains('\0') && (text.is_empty() || text.starts_with('/')) && escapes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(means: Meaning) -> AnswerRule {
        AnswerRule { statuses: Vec::new(), pointer: None, equals: String::new(), contains: String::new(), means }
    }

    fn at(pointer: &str, equals: &str, means: Meaning) -> AnswerRule {
        AnswerRule { pointer: Some(pointer.to_owned()), equals: equals.to_owned(), ..rule(means) }
    }

    fn rules(rules: impl Into<Vec<AnswerRule>>) -> AnswerRules {
        AnswerRules { rules: rules.into(), because: None }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = rules([
            at("/result/0/status", "dup", Meaning::Duplicate),
            AnswerRule { contains: "not Interested".to_owned(), ..rule(Meaning::Rejected) },
            AnswerRule { statuses: vec![409], ..rule(Meaning::Duplicate) },
            at("/ok", "true", Meaning::Accepted),
            at("/count", "3", Meaning::Retry),
            at("/error", "", Meaning::Rejected),
        ]);
        for (status, body, expected) in [
            (200, r#"{"result":[{"status":"dup"}],"ok":true}"#, Some(Meaning::Duplicate)),
            (200, "We are NOT INTERESTED, sorry", Some(Meaning::Rejected)),
            (409, "", Some(Meaning::Duplicate)),
            (200, r#"{"ok":true}"#, Some(Meaning::Accepted)),
            (422, r#"{"ok":"true"}"#, Some(Meaning::Accepted)),
            (200, r#"{"ok":false,"count":3}"#, Some(Meaning::Retry)),
            (200, r#"{"error":null}"#, Some(Meaning::Rejected)),
            (200, r#"{"ok":"#, None),
            (200, "", None),
        ] {
            assert_eq!(rules.read(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_no_refusal_unless_a_rule_names_its_status() {
        let catch_all = rules([rule(Meaning::Rejected)]);
        for status in 100..600_u16 {
            let read = matches!(status, 200..=299 | 400..=499) && !matches!(status, 408 | 425 | 429);
            assert_eq!(catch_all.read(status, "down").is_some(), read, "{status}");
        }
        let named = rules([AnswerRule { statuses: vec![500, 429], ..rule(Meaning::Duplicate) }]);
        assert_eq!(named.read(500, ""), Some(Meaning::Duplicate));
        assert_eq!(named.read(429, ""), Some(Meaning::Duplicate));
        assert_eq!(named.read(502, ""), None);
    }

    #[test]
    fn the_reason_is_where_it_was_said_to_be_or_the_answers_beginning() {
        let at = AnswerRules { rules: Vec::new(), because: Some("/errors/0".to_owned()) };
        assert_eq!(at.reason(200, r#"{"errors":["no\nroof"]}"#), "no roof");
        assert_eq!(at.reason(200, r#"{"errors":[{"code":7}]}"#), r#"{"code":7}"#);
        assert_eq!(at.reason(200, r#"{"errors":[]}"#), r#"{"errors":[]}"#);
        assert_eq!(at.reason(409, " \n"), "the receiver answered 409");
        assert_eq!(AnswerRules::default().reason(200, " no \t thanks\0!"), "no thanks !");
    }

    #[test]
    fn rules_that_could_never_fit_are_refused() {
        let refused = |rules: AnswerRules| rules.check().unwrap_err().to_string();
        assert!(refused(rules(vec![rule(Meaning::Retry); 21])).contains("20"));
        let because = AnswerRules { rules: Vec::new(), because: Some("errors".to_owned()) };
        assert_eq!(because.check(), Err(AnswerRuleError::Because));
        let mut second = vec![rule(Meaning::Retry), at("x", "", Meaning::Retry)];
        assert!(refused(rules(second.clone())).starts_with("rule 2 "));
        for (bad, what) in [
            (at("/a~2", "", Meaning::Retry), "pointer"),
            (AnswerRule { equals: "x".to_owned(), ..rule(Meaning::Retry) }, "names none"),
            (AnswerRule { statuses: vec![99], ..rule(Meaning::Retry) }, "statuses"),
            (AnswerRule { contains: "x".repeat(501), ..rule(Meaning::Retry) }, "500"),
        ] {
            second[1] = bad;
            assert!(refused(rules(second.clone())).contains(what));
        }
        for good in ["", "/", "/a~0b~1c/0"] {
            assert!(is_pointer(good), "{good}");
        }
    }

    fn any_rule() -> impl Strategy<Value = AnswerRule> {
        let means = prop_oneof![
            Just(Meaning::Accepted),
            Just(Meaning::Duplicate),
            Just(Meaning::Rejected),
            Just(Meaning::Retry)
        ];
        let pointer =
            proptest::option::of(prop_oneof![Just("/a".to_owned()), Just("/a/b".to_owned()), Just(String::new())]);
        (proptest::collection::vec(200..600_u16, 0..3), pointer, "[a-c]{0,2}", "[a-cA-C]{0,2}", means).prop_map(
            |(statuses, pointer, equals, contains, means)| {
                let equals = if pointer.is_some() { equals } else { String::new() };
                AnswerRule { statuses, pointer, equals, contains, means }
            },
        )
    }

    fn any_body() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), Just(r#"{"a":"b"}"#.to_owned()), Just(r#"{"a":{"b":"c"}}"#.to_owned())]
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_first_fitting_rule_alone_says(
            list in proptest::collection::vec(any_rule(), 0..6), status in 100..600_u16, body in any_body()
        ) {
            let all = rules(list.clone());
            prop_assert_eq!(all.check(), Ok(()));
            let one_by_one = list.into_iter().find_map(|rule| rules([rule]).read(status, &body));
            prop_assert_eq!(all.read(status, &body), one_by_one);
        }

        #[test]
        fn a_status_that_no_rule_reads_is_never_given_a_meaning(
            list in proptest::collection::vec(any_rule(), 0..6), body in any_body(), status in 500..600_u16
        ) {
            let named = list.iter().any(|rule| rule.statuses.contains(&status));
            prop_assert!(named || rules(list).read(status, &body).is_none());
        }

        #[test]
        fn a_reason_is_short_one_line_and_never_empty(body in any::<String>(), because in proptest::option::of("(/[a-z]{0,3}){0,2}")) {
            let reason = AnswerRules { rules: Vec::new(), because }.reason(200, &body);
            prop_assert!(!reason.is_empty() && reason.chars().count() <= MAX_REASON);
            prop_assert!(!reason.contains(|c: char| c.is_control()));
        }

        #[test]
        fn rules_survive_being_stored(list in proptest::collection::vec(any_rule(), 0..6)) {
            let before = rules(list);
            let stored = serde_json::to_value(&before).unwrap();
            prop_assert_eq!(serde_json::from_value::<AnswerRules>(stored).unwrap(), before);
        }
    }
}
