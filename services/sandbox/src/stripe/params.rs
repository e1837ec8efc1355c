//! Parameters as Stripe takes them: a form with brackets, e.g. `metadata[key]=value`, `expand[]=charge`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::error::StripeError;

/// Names and values that one call may have.
const MAX_PAIRS: usize = 1_000;
/// Brackets within brackets.
const MAX_DEPTH: usize = 5;
/// Entries, and characters of names and values, that Stripe takes as metadata.
const MAX_METADATA: usize = 50;
const MAX_METADATA_NAME: usize = 40;
const MAX_METADATA_VALUE: usize = 500;
/// Characters of any other value.
const MAX_TEXT: usize = 5_000;

/// The parameters of a call: texts, lists and maps of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(Map<String, Value>);

impl Params {
    /// From a form or a query.
    ///
    /// # Errors
    /// When brackets do not match, or there is too much of it.
    pub fn from_form(text: &[u8]) -> Result<Self, StripeError> {
        let mut root = Map::new();
        for (count, (name, value)) in form_urlencoded::parse(text).enumerate() {
            if count >= MAX_PAIRS {
                return Err(StripeError::parameter("", "", "Too many parameters"));
            }
            let path = path(&name).ok_or_else(|| bad(&name))?;
            put(&mut root, &path, value.into_owned()).ok_or_else(|| bad(&name))?;
        }
        Ok(Self(root))
    }

    /// From JSON: numbers and truth values become texts, as they would be in a form. For callers without HTTP.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        match plain(value) {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Refuses what an operation does not know, as Stripe does. `expand` is known to all.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), StripeError> {
        match self.0.keys().find(|name| !known.contains(&name.as_str()) && *name != "expand") {
            Some(name) => {
                let message = format!("Received unknown parameter: {name}");
                Err(StripeError::parameter("parameter_unknown", name, message))
            }
            None => Ok(()),
        }
    }

    /// Refuses what Stripe knows and the sandbox does not.
    pub(super) fn not_here(&self, names: &[&str]) -> Result<(), StripeError> {
        match names.iter().find(|name| self.0.contains_key(**name)) {
            Some(name) => {
                let message = format!("This sandbox does not support the parameter {name}");
                Err(StripeError::parameter("parameter_unknown", name, message))
            }
            None => Ok(()),
        }
    }

    /// A text; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, StripeError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= MAX_TEXT => Ok(Some(text)),
            Some(Value::String(_)) => Err(StripeError::parameter(
                "parameter_invalid_string_blank",
                name,
                format!("Invalid string: {name} must be at most {MAX_TEXT} characters"),
            )),
            Some(_) => Err(StripeError::parameter(
                "parameter_invalid_string_empty",
                name,
                format!("Invalid string: {name} must be a string"),
            )),
        }
    }

    pub(super) fn owned(&self, name: &str) -> Result<Option<String>, StripeError> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, StripeError> {
        if self.0.get(name).is_some_and(|value| value == "") {
            let message = format!("You passed an empty string for '{name}'. Remove it or pass a value.");
            return Err(StripeError::parameter("parameter_invalid_empty", name, message));
        }
        self.text(name)?.ok_or_else(|| {
            StripeError::parameter("parameter_missing", name, format!("Missing required param: {name}."))
        })
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let message = format!("Invalid integer: {}", text.chars().take(50).collect::<String>());
            StripeError::parameter("parameter_invalid_integer", name, message)
        })
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, StripeError> {
        match self.text(name)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(StripeError::parameter("", name, format!("Invalid boolean: {name} must be true or false"))),
        }
    }

    /// One of these words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if words.contains(&text) {
            return Ok(Some(text.to_owned()));
        }
        let message = format!("Invalid {name}: must be one of {}", words.join(", "));
        Err(StripeError::parameter("", name, message))
    }

    /// An address of a page.
    pub(super) fn url(&self, name: &str) -> Result<Option<String>, StripeError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text.to_owned())),
            _ => Err(StripeError::parameter("url_invalid", name, "Not a valid URL")),
        }
    }

    /// What is inside the brackets after this name.
    pub(super) fn inner(&self, name: &str) -> Result<Option<Self>, StripeError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map.clone()))),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(_) => Err(StripeError::parameter("", name, "Invalid object")),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, StripeError> {
        let wrong = || StripeError::parameter("", name, "Invalid array");
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// Puts the metadata of the call over what is there; an empty value takes an entry away.
    pub(super) fn metadata(&self, into: &mut BTreeMap<String, String>) -> Result<(), StripeError> {
        let Some(given) = self.inner("metadata")? else { return Ok(()) };
        for (name, value) in &given.0 {
            let param = format!("metadata[{name}]");
            let Value::String(value) = value else {
                return Err(StripeError::parameter("", &param, "Metadata values must be strings"));
            };
            if name.chars().count() > MAX_METADATA_NAME || value.chars().count() > MAX_METADATA_VALUE {
                let message = format!(
                    "Metadata names can have up to {MAX_METADATA_NAME} characters, and values up to {MAX_METADATA_VALUE}"
                );
                return Err(StripeError::parameter("", &param, message));
            }
            if value.is_empty() {
                into.remove(name);
            } else {
                into.insert(name.clone(), value.clone());
            }
        }
        if into.len() > MAX_METADATA {
            let message = format!("You can specify up to {MAX_METADATA} keys");
            return Err(StripeError::parameter("", "metadata", message));
        }
        Ok(())
    }

    /// Everything, for comparing calls.
    pub(super) fn as_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The `client_secret` that is shown.
    pub(crate) fn shown_secret(&self) -> Option<&str> {
        self.0.get("client_secret")?.as_str()
    }
}

fn bad(name: &str) -> StripeError {
    let shown: String = name.chars().take(100).collect();
    StripeError::parameter("", &shown, format!("Invalid parameter name: {shown}"))
}

/// `a[b][]` as `["a", "b", ""]`.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((first, mut rest)) = name.find('[').map(|at| name.split_at(at)) else {
        return (!name.is_empty()).then(|| vec![name]);
    };
    let mut path = vec![first];
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(part);
        rest = after;
    }
    (!first.is_empty() && path.len() <= MAX_DEPTH).then_some(path)
}

fn put(map: &mut Map<String, Value>, path: &[&str], value: String) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let is_index = |part: &&str| part.is_empty() || part.bytes().all(|b| b.is_ascii_digit());
    match rest.first() {
        None => {
            map.insert((*first).to_owned(), value.into());
        }
        // Lists of texts only: none of what is called takes lists of maps.
        Some(part) if is_index(part) && rest.len() == 1 && *first != "metadata" => {
            map.entry(*first).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?.push(value.into());
        }
        Some(_) => {
            let inner = map.entry(*first).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
            put(inner, rest, value)?;
        }
    }
    Some(())
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Null => Value::String(String::new()),
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_make_maps_and_lists() {
        let form =
            b"amount=500&metadata%5Ba%5D=1&metadata[b%20c]=%26&expand[]=x&expand[1]=y.z&card[address][city]=Rome";
        let expected = json!({
            "amount": "500", "metadata": {"a": "1", "b c": "&"}, "expand": ["x", "y.z"], "card": {"address": {"city": "Rome"}}
        });
        assert_eq!(Params::from_form(form).unwrap().as_value(), expected);
        assert_eq!(
            Params::from_json(&json!({"amount": 500, "confirm": true})).as_value(),
            json!({"amount": "500", "confirm": "true"})
        );
    }

    #[test]
    fn hostile_forms_are_refused() {
        for form in ["a[b=1", "[a]=1", "a]b[=1&a[b]c=1", "a[b][c][d][e][f]=1", "a=1&a[b]=2", "a[]=1&a[b]=2", "=1"] {
            assert!(Params::from_form(form.as_bytes()).is_err(), "{form}");
        }
        assert!(Params::from_form("a=1&".repeat(2_000).as_bytes()).is_err());
        let mut metadata = BTreeMap::new();
        let many: String = (0..51).map(|n| format!("metadata[k{n}]=v&")).collect();
        assert!(Params::from_form(many.as_bytes()).unwrap().metadata(&mut metadata).is_err());
        let long = format!("metadata[k]={}", "v".repeat(501));
        assert!(Params::from_form(long.as_bytes()).unwrap().metadata(&mut metadata).is_err());
    }
}
