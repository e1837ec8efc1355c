//! What a supplier may post, and what it becomes. Pure: no I/O, clock or randomness.
//!
//! [`Post::parse`] reads a request body (bounded depth, exact numbers, no key twice) and
//! [`Post::validate`] checks every field of `data` against its category's [`Schema`], giving a
//! [`ValidLead`] or one message per wrong field.

mod errors;
mod json;
mod post;
mod schema;
mod value;

pub use errors::FieldErrors;
pub use json::{Json, JsonError, MAX_DEPTH};
pub use post::{
    MAX_FIELDS, MAX_NAME_CHARS, MAX_REFERENCE_CHARS, MAX_STRING_CHARS, Post, PostError, Quality, ValidLead,
};
pub use schema::{Field, FieldKind, Schema};
pub use value::{Normal, state::usps_code};
