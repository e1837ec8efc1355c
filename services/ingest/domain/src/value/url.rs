//! Web addresses.

use url::Url;

use super::{Wrong, trimmed};
use crate::Json;

const WRONG: &str = "must be a web address that starts with http:// or https://";
const MAX_BYTES: usize = 2048;

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let text = trimmed(value, WRONG)?;
    if text.len() > MAX_BYTES {
        return Err(format!("must be at most {MAX_BYTES} bytes").into());
    }
    // The parser would drop tabs and line ends silently.
    if text.chars().any(char::is_control) {
        return Err(WRONG.into());
    }
    let url = Url::parse(text).map_err(|_| WRONG)?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    if !usable {
        return Err(WRONG.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password".into());
    }
    // Escaping may lengthen it; the bound holds for what is stored, too.
    let normal = String::from(url);
    if normal.len() > MAX_BYTES {
        return Err(format!("must be at most {MAX_BYTES} bytes").into());
    }
    Ok(normal)
}
