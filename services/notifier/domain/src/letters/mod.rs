//! Mails: what they say. The templates lie in `templates/`, two for each kind of message, and are part of the program. HTML escapes
//! whatever is put into it; what somebody else wrote has besides become [`plain`] before, so that nothing of it is a link.

mod access;
mod news;

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde_json::Value;

use crate::messages::{MessageKind, plain, plain_name};

pub use news::Reader;

/// The longest subject line.
const SUBJECT: usize = 120;
/// Who mails are from when no seller's name can be shown.
const PLATFORM: &str = "LeadFlow";

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$((concat!($name, ".html"), include_str!(concat!("../../templates/", $name, ".html")))),*]
    };
}
macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        [$((concat!($name, ".txt"), include_str!(concat!("../../templates/", $name, ".txt")))),*]
    };
}

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The sender's name: `Acme via LeadFlow`.
    pub sender: String,
    /// The subject line.
    pub subject: String,
    /// For who reads text.
    pub text: String,
    /// For who reads HTML.
    pub html: String,
    /// The page on which not to get such mails any more.
    pub unsubscribe: Option<String>,
    /// Where a mail program says so for its reader (RFC 8058); https.
    pub one_click: Option<String>,
}

/// A template could not be written with what it was given; says nothing of that.
#[derive(Debug, thiserror::Error)]
#[error("the template {template} cannot be written: {kind:?}")]
pub struct LetterError {
    template: String,
    kind: minijinja::ErrorKind,
}

/// Writes mails.
#[derive(Debug)]
pub struct Letters {
    templates: Environment<'static>,
    /// The front end.
    app: String,
}

impl Letters {
    /// Links lead to `app`.
    ///
    /// # Errors
    /// When a template is not one.
    pub fn new(app: String) -> Result<Self, LetterError> {
        let mut templates = Environment::empty();
        templates.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        // By the name's end: .html escapes.
        templates.set_auto_escape_callback(minijinja::default_auto_escape_callback);
        let html = templates![
            "base",
            "parts",
            "access",
            "lead_assigned",
            "low_balance",
            "recharge_failed",
            "recharge_turned_off",
            "payment_action_needed",
            "return_decided",
            "endpoint_disabled",
            "daily_summary",
        ];
        let text = texts![
            "access",
            "lead_assigned",
            "low_balance",
            "recharge_failed",
            "recharge_turned_off",
            "payment_action_needed",
            "return_decided",
            "endpoint_disabled",
            "daily_summary",
        ];
        for (name, source) in html.into_iter().chain(text) {
            templates.add_template(name, source).map_err(|error| failed(name, &error))?;
        }
        Ok(Self { templates, app })
    }

    /// `name` is of the templates. `subject` and `hello` may be anything, as may `seller`.
    fn letter(
        &self,
        name: &str,
        seller: &str,
        hello: &str,
        subject: &str,
        mut values: Value,
    ) -> Result<Letter, LetterError> {
        let seller = plain_name(seller);
        let subject = shortened(plain(subject));
        values["subject"] = subject.as_str().into();
        values["sender"] = seller.as_deref().unwrap_or(PLATFORM).into();
        values["hello"] = plain_name(hello).unwrap_or_default().into();
        values["app"] = self.app.as_str().into();
        let html = self.render(&format!("{name}.html"), &values)?;
        let text = self.render(&format!("{name}.txt"), &values)?;
        Ok(Letter {
            sender: seller.map_or_else(|| PLATFORM.to_owned(), |seller| format!("{seller} via {PLATFORM}")),
            subject,
            // Slashes need no escape, and links are easier to read without.
            html: html.replace("&#x2f;", "/"),
            text: tidy(&text),
            unsubscribe: values["unsubscribe"].as_str().map(str::to_owned),
            one_click: None,
        })
    }

    fn render(&self, name: &str, values: &Value) -> Result<String, LetterError> {
        let template = self.templates.get_template(name).map_err(|error| failed(name, &error))?;
        template.render(Serde(values)).map_err(|error| failed(name, &error))
    }
}

pub(crate) fn failed(template: &str, error: &minijinja::Error) -> LetterError {
    LetterError { template: template.to_owned(), kind: error.kind() }
}

fn shortened(text: String) -> String {
    if text.chars().count() <= SUBJECT {
        return text;
    }
    let kept: String = text.chars().take(SUBJECT - 1).collect();
    format!("{kept}…")
}

/// Without the empty lines that conditions leave.
fn tidy(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    let mut text = lines.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

/// The name of a kind's templates.
const fn template(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::ResetPassword
        | MessageKind::VerifyEmail
        | MessageKind::TeamInvitation
        | MessageKind::SupplierInvitation => "access",
        MessageKind::LeadAssigned => "lead_assigned",
        MessageKind::LowBalance => "low_balance",
        MessageKind::RechargeFailed => "recharge_failed",
        MessageKind::RechargeTurnedOff => "recharge_turned_off",
        MessageKind::PaymentActionNeeded => "payment_action_needed",
        MessageKind::ReturnDecided => "return_decided",
        MessageKind::EndpointDisabled => "endpoint_disabled",
        MessageKind::DailySummary => "daily_summary",
    }
}
