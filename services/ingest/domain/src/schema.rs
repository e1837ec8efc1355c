//! A category's field definitions, prepared for checking.

use std::collections::HashMap;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An exact decimal number.
    Number,
    /// Yes or no.
    Boolean,
    /// A calendar date.
    Date,
    /// A state or territory of the United States.
    State,
    /// A postal code of the United States.
    Zip,
    /// A web address.
    Url,
    /// One of these texts.
    Select(Vec<String>),
}

/// One field of a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in `data`.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether a lead without it is refused.
    pub required: bool,
}

/// The fields of one category.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    /// The field that tells the lead's state when the request does not.
    state_field: Option<String>,
}

impl Schema {
    /// Prepares definitions; of two with one name the first counts.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        let mut by_name = HashMap::with_capacity(fields.len());
        for (position, field) in fields.iter().enumerate() {
            by_name.entry(field.name.clone()).or_insert(position);
        }
        let first_state = fields.iter().find(|field| field.kind == FieldKind::State);
        let state_field =
            if by_name.contains_key("state") { None } else { first_state.map(|field| field.name.clone()) };
        Self { fields, by_name, state_field }
    }

    /// The definition of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).and_then(|&position| self.fields.get(position))
    }

    /// Every field, in the category's order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Names in `data` that may tell the lead's state, the first one first: `state`, then the
    /// category's first field of that kind.
    pub(crate) fn state_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("state").chain(self.state_field.as_deref())
    }
}
