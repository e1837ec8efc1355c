//! What SendGrid refuses, in its own words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Headers that are SendGrid's own to write.
const RESERVED: [&str; 14] = [
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
    "date",
    "message-id",
];
const KNOWN: [&str; 17] = [
    "personalizations",
    "from",
    "reply_to",
    "reply_to_list",
    "subject",
    "content",
    "attachments",
    "template_id",
    "headers",
    "categories",
    "custom_args",
    "send_at",
    "batch_id",
    "asm",
    "ip_pool_name",
    "mail_settings",
    "tracking_settings",
];
/// Of all custom arguments together.
const CUSTOM_ARGS: usize = 10_000;

/// A mail that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) from: String,
    pub(crate) sender: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) categories: Vec<String>,
    pub(crate) custom_args: BTreeMap<String, String>,
}

/// Why it takes another one not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) field: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>, field: &str) -> Self {
        Self { message: message.into(), field: Some(field.to_owned()) }
    }

    /// As the API says it.
    pub(crate) fn body(problems: &[Self]) -> Value {
        let errors: Vec<_> =
            problems.iter().map(|it| json!({ "message": it.message, "field": it.field, "help": null })).collect();
        json!({ "errors": errors })
    }

    pub(crate) fn plain(message: &str) -> Self {
        Self { message: message.to_owned(), field: None }
    }
}

/// Reads a request's body.
pub(crate) fn check(body: &[u8]) -> Result<Accepted, Vec<Problem>> {
    let Ok(Value::Object(mail)) = serde_json::from_slice::<Value>(body) else {
        return Err(vec![Problem::plain("Bad Request")]);
    };
    let mail = Value::Object(mail);
    let mut problems = Vec::new();
    for name in mail.as_object().into_iter().flat_map(|mail| mail.keys()).filter(|name| !KNOWN.contains(&name.as_str()))
    {
        problems.push(Problem::new(format!("Additional property {name} is not allowed"), name));
    }
    let (to, custom_args) = personalizations(&mail, &mut problems);
    let from = mail["from"]["email"].as_str().unwrap_or_default();
    if from.is_empty() {
        problems.push(Problem::new(
            "The from object must be provided for every email send. It is an object that requires the email parameter, but may also \
             contain a name parameter.  e.g. {\"email\" : \"example@example.com\"}  or {\"email\" : \"example@example.com\", \"name\" : \
             \"Example Recipient\"}.",
            "from.email",
        ));
    } else if !is_address(from) {
        problems.push(Problem::new("The from email does not contain a valid address.", "from.email"));
    }
    let subject = mail["subject"].as_str().unwrap_or_default();
    if subject.is_empty() {
        problems.push(Problem::new(
            "The subject is required. You can get around this requirement if you use a template with a subject defined or if every \
             personalization has a subject defined.",
            "subject",
        ));
    }
    let (text, html) = contents(&mail, &mut problems);
    let categories = categories(&mail, &mut problems);
    if let Some(headers) = mail["headers"].as_object() {
        for (name, value) in headers {
            if RESERVED.contains(&name.to_lowercase().as_str()) {
                problems.push(Problem::new(format!("The {name} header is reserved and cannot be set."), "headers"));
            }
            if !value.is_string() {
                problems.push(Problem::new("The headers values must be strings.", "headers"));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Accepted {
        from: from.to_owned(),
        sender: mail["from"]["name"].as_str().unwrap_or_default().to_owned(),
        to,
        subject: subject.to_owned(),
        text,
        html,
        categories,
        custom_args,
    })
}

fn personalizations(mail: &Value, problems: &mut Vec<Problem>) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut to, mut custom_args) = (Vec::new(), BTreeMap::new());
    let all = mail["personalizations"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() || all.len() > 1_000 {
        problems.push(Problem::new(
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        ));
    }
    for (at, personalization) in all.iter().enumerate() {
        let field = format!("personalizations.{at}.to");
        let mut seen = BTreeSet::new();
        let addresses = personalization["to"].as_array().map(Vec::as_slice).unwrap_or_default();
        if addresses.is_empty() {
            problems.push(Problem::new(
                "The to array is required for all personalization objects, and must have at least one email object with a valid email \
                 address.",
                &field,
            ));
        }
        for address in addresses {
            let address = address["email"].as_str().unwrap_or_default();
            if !is_address(address) {
                problems.push(Problem::new("Does not contain a valid address.", &format!("{field}.0.email")));
            } else if !seen.insert(address.to_lowercase()) {
                let message = format!(
                    "Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate \
                     instance of [{address}] in the {field} field."
                );
                problems.push(Problem::new(message, "personalizations"));
            }
            to.push(address.to_owned());
        }
        arguments(
            &personalization["custom_args"],
            &format!("personalizations.{at}.custom_args"),
            &mut custom_args,
            problems,
        );
    }
    arguments(&mail["custom_args"], "custom_args", &mut custom_args, problems);
    (to, custom_args)
}

fn arguments(value: &Value, field: &str, into: &mut BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    let Some(arguments) = value.as_object() else { return };
    for (name, value) in arguments {
        match value.as_str() {
            Some(value) => {
                into.insert(name.clone(), value.to_owned());
            }
            None => problems.push(Problem::new("The custom_args values must be strings.", field)),
        }
    }
    if value.to_string().len() > CUSTOM_ARGS {
        problems.push(Problem::new("The custom_args cannot exceed 10,000 bytes.", field));
    }
}

fn contents(mail: &Value, problems: &mut Vec<Problem>) -> (String, String) {
    let all = mail["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        problems.push(Problem::new(
            "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. \
             We typically suggest both text/plain and text/html blocks are included, but only one block is required.",
            "content",
        ));
    }
    let (mut text, mut html) = (String::new(), String::new());
    for (at, part) in all.iter().enumerate() {
        let value = part["value"].as_str().unwrap_or_default();
        if value.is_empty() {
            let field = format!("content.{at}.value");
            problems.push(Problem::new("The content value must be a string at least one character in length.", &field));
        }
        match part["type"].as_str().unwrap_or_default() {
            "text/plain" if at == 0 => value.clone_into(&mut text),
            "text/html" if at == 0 || (at == 1 && !text.is_empty()) => value.clone_into(&mut html),
            "text/plain" | "text/html" => problems.push(Problem::new(
                "If present, text/plain and text/html may only be provided once, and text/plain must be first, followed by text/html.",
                "content",
            )),
            "" => problems.push(Problem::new(
                "The content type must be a string at least one character in length.",
                &format!("content.{at}.type"),
            )),
            _ => {}
        }
    }
    (text, html)
}

fn categories(mail: &Value, problems: &mut Vec<Problem>) -> Vec<String> {
    let all = mail["categories"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named: Vec<String> = all.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if all.len() > 10 {
        problems.push(Problem::new("You cannot have more than 10 categories.", "categories"));
    }
    if named.len() != all.len() || named.iter().any(|name| name.len() > 255) {
        problems.push(Problem::new("Each category must be a string of at most 255 characters.", "categories"));
    }
    if named.iter().collect::<BTreeSet<_>>().len() != named.len() {
        problems.push(Problem::new("Each category must be unique.", "categories"));
    }
    named
}

fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.len() <= 64
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Value {
        json!({
            "personalizations": [{ "to": [{ "email": "sam@example.com" }], "custom_args": { "message_id": "msg_1" } }],
            "from": { "email": "noreply@leadflow.example", "name": "Acme via LeadFlow" },
            "subject": "Hello",
            "content": [{ "type": "text/plain", "value": "Hi" }, { "type": "text/html", "value": "<p>Hi</p>" }],
            "categories": ["leadflow"],
            "headers": { "Auto-Submitted": "auto-generated" },
        })
    }

    #[test]
    fn a_mail_as_it_should_be_is_taken() {
        let taken = check(mail().to_string().as_bytes()).unwrap();
        assert_eq!(
            (taken.to, taken.subject.as_str(), taken.html.as_str()),
            (vec!["sam@example.com".to_owned()], "Hello", "<p>Hi</p>")
        );
        assert_eq!(taken.custom_args["message_id"], "msg_1");
    }

    #[test]
    fn what_the_real_one_refuses_is_refused() {
        for (path, value, field) in [
            ("/personalizations", json!([]), "personalizations"),
            ("/personalizations/0/to", json!([]), "personalizations.0.to"),
            ("/personalizations/0/to/0/email", json!("nobody"), "personalizations.0.to.0.email"),
            ("/personalizations/0/to", json!([{ "email": "a@b.co" }, { "email": "A@b.co" }]), "personalizations"),
            ("/personalizations/0/custom_args/message_id", json!(5), "personalizations.0.custom_args"),
            ("/from/email", json!(""), "from.email"),
            ("/from/email", json!("x"), "from.email"),
            ("/subject", json!(""), "subject"),
            ("/content", json!([]), "content"),
            ("/content/0/value", json!(""), "content.0.value"),
            ("/content/0/type", json!("text/html"), "content"),
            ("/categories", json!(vec!["x"; 2]), "categories"),
            ("/headers/Auto-Submitted", json!(1), "headers"),
        ] {
            let mut wrong = mail();
            *wrong.pointer_mut(path).unwrap() = value;
            let problems = check(wrong.to_string().as_bytes()).unwrap_err();
            assert_eq!(problems[0].field.as_deref(), Some(field), "{path}: {problems:?}");
        }
        let mut more = mail();
        more["headers"]["Reply-To"] = json!("x@example.com");
        more["bcc"] = json!([]);
        assert_eq!(check(more.to_string().as_bytes()).unwrap_err().len(), 2);
        for nonsense in ["", "[]", "{", "5"] {
            assert!(check(nonsense.as_bytes()).is_err());
        }
    }
}
