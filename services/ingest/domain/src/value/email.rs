//! E-mail: syntax only (nobody is asked whether it exists); lower case, so that equal addresses match.

use email_address::{EmailAddress, Options};

use super::{Wrong, trimmed};
use crate::Json;

const WRONG: &str = "must be an email address";
/// RFC 5321: a path is at most 256 octets with its brackets.
const MAX_BYTES: usize = 254;

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let text = trimmed(value, WRONG)?;
    // Quoted local parts ("a b"@example.com) are legal and, outside of tests, always a mistake.
    if text.len() > MAX_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') {
        return Err(WRONG.into());
    }
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let lower = text.to_lowercase();
    EmailAddress::parse_with_options(&lower, options).map_err(|_| WRONG)?;
    Ok(lower)
}
