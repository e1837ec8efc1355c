//! A request body, read and checked.

use std::borrow::Cow;

use leadflow_kernel::{CampaignId, CategoryId, Id, Kind};

use crate::{
    FieldErrors, Json, JsonError, Schema,
    json::write_string,
    value::{self, Normal, state::usps_code, text},
};

/// The most fields `data` may have.
pub const MAX_FIELDS: usize = 200;
/// The most characters of a field's name.
pub const MAX_NAME_CHARS: usize = 64;
/// The most characters of any string in `data`.
pub const MAX_STRING_CHARS: usize = 4096;
/// The most characters of a reference.
pub const MAX_REFERENCE_CHARS: usize = 255;

/// How good the supplier says the lead is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Wants it now.
    Hot,
    /// Interested.
    Warm,
    /// Worth a try.
    Cold,
}

impl Quality {
    /// `HOT`, `WARM` or `COLD`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hot => "HOT",
            Self::Warm => "WARM",
            Self::Cold => "COLD",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Hot, Self::Warm, Self::Cold].into_iter().find(|quality| quality.code().eq_ignore_ascii_case(text.trim()))
    }
}

/// Why a body is not a request at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Bytes that are not UTF-8.
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// Not JSON, a name twice, or too deep.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
}

/// A body with its top-level fields read; `data` is checked when the category is known.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// The campaign, when it is there and an id.
    pub campaign_id: Option<CampaignId>,
    /// The category, when it is there and an id.
    pub category_id: Option<CategoryId>,
    /// The supplier's own name for the lead.
    pub reference: Option<String>,
    /// SHA-256 of what the body says (see [`Json::hash`]).
    pub body_hash: [u8; 32],
    state: Option<&'static str>,
    quality: Option<Quality>,
    test: bool,
    data: Vec<(Cow<'a, str>, Json<'a>)>,
    errors: FieldErrors,
}

/// A lead whose every field keeps to its category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidLead {
    /// USPS code: the request's, else the one in `data`.
    pub state: Option<&'static str>,
    /// As the supplier says.
    pub quality: Option<Quality>,
    /// To be decided and answered, never charged, counted or delivered.
    pub test: bool,
    /// The supplier's own name for the lead.
    pub reference: Option<String>,
    /// Normalised values by name: a JSON object. Blank optional fields are left out.
    pub data_json: String,
    /// What was sent for the fields whose normalised value differs: a JSON object, empty text when none does.
    pub raw_json: String,
    /// Names that the category does not define; their values are in `data_json` as sent.
    pub unknown_fields: Vec<String>,
}

impl<'a> Post<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`PostError`] when it is no JSON object. What is wrong with single fields comes from
    /// [`Post::validate`] or [`Post::into_errors`].
    pub fn parse(body: &'a [u8]) -> Result<Self, PostError> {
        let text = std::str::from_utf8(body).map_err(|_| PostError::NotUtf8)?;
        let document = Json::parse(text)?;
        let body_hash = document.hash();
        let Json::Object(members) = document else { return Err(PostError::NotAnObject) };
        let mut post = Self {
            campaign_id: None,
            category_id: None,
            reference: None,
            body_hash,
            state: None,
            quality: None,
            test: false,
            data: Vec::new(),
            errors: FieldErrors::default(),
        };
        let (mut campaign_seen, mut data_seen) = (false, false);
        for (name, value) in members {
            match name.as_ref() {
                "campaignId" => {
                    campaign_seen = value != Json::Null;
                    post.campaign_id = post.id("campaignId", &value);
                }
                "categoryId" => post.category_id = post.id("categoryId", &value),
                "state" => post.state = post.word("state", &value, "must be a US state, by code or name", usps_code),
                "quality" => post.quality = post.word("quality", &value, "must be HOT, WARM or COLD", Quality::parse),
                "reference" => post.reference = post.reference(&value),
                "test" => match value {
                    Json::Bool(test) => post.test = test,
                    Json::Null => {}
                    _ => post.errors.add("test", "must be true or false"),
                },
                "data" => {
                    data_seen = value != Json::Null;
                    match value {
                        Json::Object(data) => post.data = data,
                        Json::Null => {}
                        _ => post.errors.add("data", "must be an object"),
                    }
                }
                // Ignoring it would be a silent no to whatever the caller meant by it.
                other => post.errors.add(other, "is not a field of this request"),
            }
        }
        if !campaign_seen {
            post.errors.add("campaignId", "is required");
        }
        if !data_seen {
            post.errors.add("data", "is required");
        }
        Ok(post)
    }

    /// What is wrong with the top-level fields, when there is no category to check `data` against.
    #[must_use]
    pub fn into_errors(self) -> FieldErrors {
        self.errors
    }

    /// Checks every field of `data`.
    ///
    /// # Errors
    /// A message for every wrong field, top-level ones included.
    pub fn validate(mut self, schema: &Schema) -> Result<ValidLead, FieldErrors> {
        let errors = &mut self.errors;
        if self.data.len() > MAX_FIELDS {
            errors.add("data", format!("must have at most {MAX_FIELDS} fields"));
            return Err(self.errors);
        }
        let mut lead = Output::default();
        let mut seen = Vec::with_capacity(self.data.len());
        for (name, value) in &self.data {
            let path = || format!("data.{name}");
            let Some(field) = schema.field(name) else {
                match check_name(name).and_then(|()| check_unknown(value)) {
                    Ok(()) => lead.keep_unknown(name, value),
                    Err(wrong) => errors.add(path(), wrong),
                }
                continue;
            };
            if value::is_blank(value) {
                // An empty box in the supplier's form is no value; what was sent stays in the raw ones.
                lead.keep_raw(name, value);
                continue;
            }
            seen.push(field.name.as_str());
            match value::normalise(&field.kind, value) {
                Ok(normal) => lead.keep(name, &normal, value),
                Err(wrong) => errors.add(path(), wrong),
            }
        }
        for field in schema.fields() {
            if field.required && !seen.contains(&field.name.as_str()) {
                errors.add(format!("data.{}", field.name), "is required");
            }
        }
        if !errors.is_empty() {
            return Err(self.errors);
        }
        let state = self.state.or_else(|| schema.state_names().find_map(|name| state_in(&self.data, name)));
        Ok(ValidLead {
            state,
            quality: self.quality,
            test: self.test,
            reference: self.reference,
            data_json: lead.data.finish(true),
            raw_json: lead.raw.finish(false),
            unknown_fields: lead.unknown,
        })
    }

    fn id<K: Kind>(&mut self, name: &'static str, value: &Json<'_>) -> Option<Id<K>> {
        match value {
            Json::Null => return None,
            Json::String(text) => match text.parse() {
                Ok(id) => return Some(id),
                Err(error) => self.errors.add(name, error.to_string()),
            },
            _ => self.errors.add(name, "must be an id, as text"),
        }
        None
    }

    /// An optional word; null and blank text are none.
    fn word<T>(
        &mut self,
        name: &'static str,
        value: &Json<'_>,
        wrong: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if value::is_blank(value) {
            return None;
        }
        let word = if let Json::String(text) = value { read(text) } else { None };
        if word.is_none() {
            self.errors.add(name, wrong);
        }
        word
    }

    fn reference(&mut self, value: &Json<'_>) -> Option<String> {
        match value {
            Json::Null => None,
            Json::String(text)
                if !text.trim().is_empty()
                    && text.chars().count() <= MAX_REFERENCE_CHARS
                    && !text.chars().any(char::is_control) =>
            {
                Some(text.clone().into_owned())
            }
            _ => {
                let wrong = format!("must be text of 1 to {MAX_REFERENCE_CHARS} characters without control characters");
                self.errors.add("reference", wrong);
                None
            }
        }
    }
}

fn state_in(data: &[(Cow<'_, str>, Json<'_>)], name: &str) -> Option<&'static str> {
    data.iter().find(|(field, _)| field == name).and_then(|(_, value)| match value {
        Json::String(text) => usps_code(text),
        _ => None,
    })
}

fn check_name(name: &str) -> Result<(), Cow<'static, str>> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        return Err(format!("must have a name of 1 to {MAX_NAME_CHARS} characters").into());
    }
    if name.chars().any(char::is_control) {
        return Err("must not have control characters in its name".into());
    }
    Ok(())
}

/// What a value nobody defined has to keep to so that it can be stored and sent on.
fn check_unknown(value: &Json<'_>) -> Result<(), Cow<'static, str>> {
    match value {
        Json::Null | Json::Bool(_) => Ok(()),
        Json::Number(text) => {
            // Databases and other JSON readers have bounds; a number beyond a float's is no data of a person.
            let fits = text.len() <= 64
                && text.parse::<f64>().is_ok_and(f64::is_finite)
                && text
                    .split_once(['e', 'E'])
                    .is_none_or(|(_, exponent)| exponent.parse::<i32>().is_ok_and(|e| e.abs() <= 300));
            if fits { Ok(()) } else { Err("is a number out of bounds".into()) }
        }
        Json::String(string) => text::check(string),
        Json::Array(items) => items.iter().try_for_each(check_unknown),
        Json::Object(members) => {
            members.iter().try_for_each(|(name, value)| check_name(name).and_then(|()| check_unknown(value)))
        }
    }
}

/// The two objects that come out.
#[derive(Default)]
struct Output {
    data: ObjectText,
    raw: ObjectText,
    unknown: Vec<String>,
}

impl Output {
    fn keep(&mut self, name: &str, normal: &Normal, sent: &Json<'_>) {
        normal.write(self.data.member(name));
        if !normal.is_as_sent(sent) {
            self.keep_raw(name, sent);
        }
    }

    fn keep_raw(&mut self, name: &str, sent: &Json<'_>) {
        sent.write(self.raw.member(name));
    }

    fn keep_unknown(&mut self, name: &str, value: &Json<'_>) {
        value.write(self.data.member(name));
        self.unknown.push(name.to_owned());
    }
}

/// A JSON object under construction.
#[derive(Default)]
struct ObjectText(String);

impl ObjectText {
    fn member(&mut self, name: &str) -> &mut String {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_string(name, &mut self.0);
        self.0.push(':');
        &mut self.0
    }

    /// The object; without members it is `{}`, or nothing where that is wanted.
    fn finish(mut self, empty_object: bool) -> String {
        match (self.0.is_empty(), empty_object) {
            (true, true) => "{}".to_owned(),
            (true, false) => String::new(),
            (false, _) => {
                self.0.push('}');
                self.0
            }
        }
    }
}
