//! States to their USPS codes: 50 states, DC, territories, freely associated states, military.

use super::{Wrong, trimmed};
use crate::Json;

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    const WRONG: &str = "must be a US state, by code or name";
    usps_code(trimmed(value, WRONG)?).map(str::to_owned).ok_or_else(|| WRONG.into())
}

/// The USPS code of a code or full name, in any case: `ca`, `New  York`, `Washington, D.C.`
#[must_use]
pub fn usps_code(text: &str) -> Option<&'static str> {
    let text = text.trim();
    if text.len() == 2
        && let Some((code, _)) = STATES.iter().find(|(code, _)| code.eq_ignore_ascii_case(text))
    {
        return Some(code);
    }
    // Longer than any name: not worth folding.
    if text.len() > 64 {
        return None;
    }
    let folded = text.replace(['.', ','], " ");
    let name = folded.split_whitespace().collect::<Vec<_>>().join(" ");
    STATES.iter().find(|(_, state)| state.eq_ignore_ascii_case(&name)).map(|(code, _)| *code)
}

/// Codes and names; a code may have several names.
const STATES: &[(&str, &str)] = &[
    ("AL", "Alabama"),
    ("AK", "Alaska"),
    ("AZ", "Arizona"),
    ("AR", "Arkansas"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DE", "Delaware"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("IA", "Iowa"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("ME", "Maine"),
    ("MD", "Maryland"),
    ("MA", "Massachusetts"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MS", "Mississippi"),
    ("MO", "Missouri"),
    ("MT", "Montana"),
    ("NE", "Nebraska"),
    ("NV", "Nevada"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NY", "New York"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VT", "Vermont"),
    ("VA", "Virginia"),
    ("WA", "Washington"),
    ("WV", "West Virginia"),
    ("WI", "Wisconsin"),
    ("WY", "Wyoming"),
    ("DC", "District of Columbia"),
    ("DC", "Washington DC"),
    ("DC", "Washington D C"),
    ("DC", "D C"),
    ("AS", "American Samoa"),
    ("GU", "Guam"),
    ("MP", "Northern Mariana Islands"),
    ("PR", "Puerto Rico"),
    ("VI", "Virgin Islands"),
    ("VI", "US Virgin Islands"),
    ("VI", "U S Virgin Islands"),
    ("FM", "Federated States of Micronesia"),
    ("MH", "Marshall Islands"),
    ("PW", "Palau"),
    ("AA", "Armed Forces Americas"),
    ("AE", "Armed Forces Europe"),
    ("AP", "Armed Forces Pacific"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_name_is_known_in_any_case() {
        for (code, name) in STATES {
            for text in [code.to_lowercase(), name.to_uppercase(), format!(" {name} ")] {
                assert_eq!(usps_code(&text), Some(*code), "{text}");
            }
        }
        assert_eq!(STATES.iter().map(|(code, _)| code).collect::<std::collections::BTreeSet<_>>().len(), 62);
        assert_eq!(usps_code("washington, d.c."), Some("DC"));
        assert_eq!(usps_code("D.C."), Some("DC"));
    }

    #[test]
    fn others_are_not() {
        for text in ["", "XX", "C", "CAL", "New", "Ontario", "ÇA", "İD", "C A", "Kansas City"] {
            assert_eq!(usps_code(text), None, "{text}");
        }
    }
}
