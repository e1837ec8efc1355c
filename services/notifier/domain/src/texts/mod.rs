//! Text messages: what they say, in one segment wherever that can be. The templates lie in `templates/sms/`, one for each kind. Of a lead
//! they have name, state and campaign, and nothing else; what somebody else wrote is made harmless: one line, and nothing that a phone makes
//! a link of.

mod gsm;
mod keyword;
mod latin;
mod trouble;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::{
    letters::{LetterError, failed},
    messages::{LeadNews, MessageKind, News, plain, plain_name},
};
use latin::latin;

pub use gsm::{Alphabet, segments};
pub use keyword::Keyword;
pub use trouble::{NumberState, is_for_good, number_state, trouble_in_words};

/// Who texts are from when no seller's name can be shown.
const PLATFORM: &str = "LeadFlow";
/// What others wrote is shown with so many characters, if all of it fits; then with ever fewer.
const LONGEST: usize = 40;
/// With fewer, the hint at STOP goes first; and with [`SHORTEST`] one has to be able to tell leads apart.
const WITH_HINT: usize = 16;
const SHORTEST: usize = 8;
/// Where even that does not fit into one segment.
const ANYWAY: usize = 24;
/// Carriers have this character in any alphabet, unlike `…`.
const ELLIPSIS: &str = "...";

macro_rules! templates {
    ($($kind:ident: $name:literal),* $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../templates/sms/", $name)))),*];
        const fn template(kind: MessageKind) -> Option<&'static str> {
            match kind {
                $(MessageKind::$kind => Some($name),)*
                _ => None,
            }
        }
    };
}
templates! {
    LeadAssigned: "lead_assigned.txt",
    LowBalance: "low_balance.txt",
    RechargeFailed: "recharge_failed.txt",
    RechargeTurnedOff: "recharge_turned_off.txt",
    PaymentActionNeeded: "payment_action_needed.txt",
}

/// A text message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says.
    pub body: String,
    /// How many segments it is.
    pub segments: u32,
}

/// Writes text messages.
#[derive(Debug)]
pub struct Texts {
    templates: Environment<'static>,
}

/// What of a message others wrote, or is otherwise its own; empty: left out.
#[derive(Debug, Default)]
struct Values {
    sender: String,
    name: String,
    state: String,
    campaign: String,
    available: String,
    amount: String,
    again: String,
}

impl Texts {
    /// With the templates that are part of the program.
    ///
    /// # Errors
    /// When a template is not one.
    pub fn new() -> Result<Self, LetterError> {
        let mut templates = Environment::empty();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            templates.add_template(name, source.trim_end()).map_err(|error| failed(name, &error))?;
        }
        Ok(Self { templates })
    }

    /// Writes `news` in the name of `seller` (any text) for somebody in `time_zone` (an IANA name; anything else is UTC). `None` for what is
    /// not told by text message.
    ///
    /// # Errors
    /// When the template fails.
    pub fn news(&self, news: &News, seller: &str, time_zone: &str) -> Result<Option<Text>, LetterError> {
        let Some(template) = template(news.kind()) else { return Ok(None) };
        let seller = plain_name(seller).map(|name| harmless(&name)).filter(|name| !name.is_empty());
        let sender = seller.unwrap_or_else(|| PLATFORM.to_owned());
        let values = match news {
            News::LeadAssigned(lead) => lead_assigned(sender, lead),
            News::LowBalance { available, .. } => Values { sender, available: available.clone(), ..Values::default() },
            News::RechargeFailed { amount, again_at, .. } => {
                let again = again_at.map(|at| when(at, time_zone)).unwrap_or_default();
                Values { sender, amount: amount.clone(), again, ..Values::default() }
            }
            News::PaymentActionNeeded { amount, .. } => Values { sender, amount: amount.clone(), ..Values::default() },
            _ => Values { sender, ..Values::default() },
        };
        self.fitted(template, &values).map(Some)
    }

    /// With as much of the values as one segment has room for.
    fn fitted(&self, template: &str, values: &Values) -> Result<Text, LetterError> {
        let hinted = (WITH_HINT..=LONGEST).rev().map(|most| (most, true));
        let bare = (SHORTEST..=LONGEST).rev().map(|most| (most, false));
        for (most, stop) in hinted.chain(bare) {
            let text = self.written(template, values, most, stop)?;
            if text.segments == 1 {
                return Ok(text);
            }
        }
        self.written(template, values, ANYWAY, true)
    }

    fn written(&self, template: &str, values: &Values, most: usize, stop: bool) -> Result<Text, LetterError> {
        let written = self.templates.get_template(template).and_then(|it| {
            it.render(context! {
                sender => shortened(&values.sender, most),
                name => shortened(&values.name, most),
                state => &values.state,
                campaign => shortened(&values.campaign, most),
                available => &values.available,
                amount => &values.amount,
                again => &values.again,
                stop,
            })
        });
        let body = written.map_err(|error| failed(template, &error))?;
        Ok(Text { segments: segments(&body), body })
    }
}

fn lead_assigned(sender: String, lead: &LeadNews) -> Values {
    let name = person(&format!("{} {}", lead.first_name, lead.last_name));
    let (state, campaign) = (shortened(&person(&lead.state), SHORTEST), harmless(&lead.campaign));
    Values { sender, name, state, campaign, ..Values::default() }
}

/// What somebody else wrote, as a phone may show it. Each of the brackets that make dots harmless in mails is two characters here: a
/// space does the same.
fn harmless(text: &str) -> String {
    let text = latin(&plain(text)).replace("[.]", ". ").replace("[:]", ": ").replace("[@]", " at ").replace("//", "/");
    let chars: Vec<char> = text.chars().collect();
    let mut safe = String::with_capacity(text.len() + 8);
    for (at, c) in chars.iter().copied().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied().unwrap_or(' ');
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        match c {
            '@' => safe.push_str(" at "),
            '.' | ':' if after.is_alphanumeric() && !(before.is_ascii_digit() && after.is_ascii_digit()) => {
                safe.extend([c, ' ']);
            }
            _ => safe.push(c),
        }
    }
    safe.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name or a place, without what is in neither: numbers, addresses, signs.
fn person(text: &str) -> String {
    let text = latin(&plain(text));
    let words = text.split(' ').filter(|word| !word.contains('@') && !word.contains("[.]") && !word.contains("[:]"));
    let kept = |c: &char| if c.is_ascii() { c.is_ascii_alphabetic() || "'-.".contains(*c) } else { !c.is_numeric() };
    let words: Vec<String> = words.map(|word| word.chars().filter(kept).collect()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| word.contains(char::is_alphabetic)).collect();
    harmless(&words.join(" "))
}

/// At most `most` characters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - ELLIPSIS.len()).collect();
    format!("{}{ELLIPSIS}", kept.trim_end_matches([' ', '.', ',', '-']))
}

/// A moment as it is read where the reader is.
fn when(time: DateTime<Utc>, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    time.with_timezone(&zone).format("%-d %b, %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_campaigns_are_nothing_but_that() {
        for (text, wanted) in [
            ("John O'Neil Jr.", "John O'Neil Jr."),
            ("J.R. Smith", "Smith"),
            ("call +1 555 0100", "call"),
            ("john@example.com Smith", "Smith"),
            ("www.evil.example John", "John"),
            ("evil.#com", "evil. com"),
            ("a\r\nb", "a b"),
            ("Ann-Marie 😀 Łoś", "Ann-Marie Los"),
        ] {
            assert_eq!(person(text), wanted);
        }
        for (text, wanted) in [
            ("Solar 2.5 kW [west]", "Solar 2.5 kW [west]"),
            ("https://evil.example/x", "https: /evil. example/x"),
            ("a@b.com", "a at b. com"),
            ("see 1.2.3.4:80", "see 1. 2. 3. 4:80"),
        ] {
            assert_eq!(harmless(text), wanted);
        }
    }

    proptest! {
        #[test]
        fn nothing_harmless_is_a_link(text in ".{0,60}", host in "[a-z]{1,8}", user in "[a-z]{1,5}") {
            for hostile in [format!("{text}http://{host}.com/x {text}"), format!("{user}@{host}.net"), format!("{host}.{text}.org")] {
                for safe in [harmless(&hostile), person(&hostile)] {
                    prop_assert!(!safe.contains("://") && !safe.contains('@') && !safe.chars().any(char::is_control), "{safe}");
                    for ending in [".com", ".net", ".org"] {
                        prop_assert!(!safe.contains(ending), "{safe}");
                    }
                }
            }
        }
    }
}
