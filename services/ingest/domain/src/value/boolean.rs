//! Yes or no, as forms and spreadsheets write it.

use super::Wrong;
use crate::Json;

pub(super) fn read(value: &Json<'_>) -> Result<bool, Wrong> {
    match value {
        Json::Bool(value) => return Ok(*value),
        Json::Number("1") => return Ok(true),
        Json::Number("0") => return Ok(false),
        Json::String(text) => {
            let is = |words: &[&str]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
            if is(&["true", "yes", "y", "1", "on", "t"]) {
                return Ok(true);
            }
            if is(&["false", "no", "n", "0", "off", "f"]) {
                return Ok(false);
            }
        }
        _ => {}
    }
    Err("must be true or false".into())
}
