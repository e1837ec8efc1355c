//! ZIP codes: `12345` or `12345-6789`.

use super::Wrong;
use crate::Json;

const WRONG: &str = "must be a ZIP code: 12345 or 12345-6789";

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    match value {
        Json::String(text) => {
            let text = text.trim();
            if digits(text, 5) {
                return Ok(text.to_owned());
            }
            if digits(text, 9) {
                return Ok(format!("{}-{}", &text[..5], &text[5..]));
            }
            if let Some((five, four)) = text.split_once(['-', ' '])
                && digits(five, 5)
                && digits(four, 4)
            {
                return Ok(format!("{five}-{four}"));
            }
        }
        // A number has lost its leading zeros; the lowest code in use is 00501.
        Json::Number(text) if (3..=5).any(|count| digits(text, count)) => return Ok(format!("{text:0>5}")),
        _ => {}
    }
    Err(WRONG.into())
}
