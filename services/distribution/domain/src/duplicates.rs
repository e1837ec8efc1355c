//! Which leads are about the same person, as a campaign defines it.

use std::borrow::Cow;

/// How fields make a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// One equal field is enough.
    Any,
    /// Every field must be there and equal.
    All,
}

/// When a lead repeats an earlier one of the same campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateRule {
    /// How long a lead is remembered; 0 turns the rule off.
    pub window_days: u32,
    /// Names of fields in the lead's data.
    pub fields: Vec<String>,
    /// How they count.
    pub matching: Match,
}

/// How a field's text is made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Only the digits, without the country code of the United States.
    Phone,
    /// Lower case, blanks run together.
    Text,
}

impl FieldKind {
    /// A guess from the name, for fields that no category describes.
    #[must_use]
    pub fn guess(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if ["phone", "mobile", "cell"].iter().any(|word| name.contains(word)) { Self::Phone } else { Self::Text }
    }
}

/// A fingerprint and the field that gave it (all of them joined by `+` for [`Match::All`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// For people: by what the two leads are alike.
    pub field: String,
    /// The canonical text: equal for two leads about the same person. Personal data; to be hashed
    /// before it is stored.
    pub canonical: String,
}

/// The fingerprints of a lead: two leads with one in common are duplicates. `value` gives a field's
/// kind and text, if the lead has it; a field without any letter or digit counts as missing.
pub fn fingerprints<'a>(
    rule: &DuplicateRule,
    value: impl Fn(&str) -> Option<(FieldKind, Cow<'a, str>)>,
) -> Vec<Fingerprint> {
    if rule.window_days == 0 || rule.fields.is_empty() {
        return Vec::new();
    }
    let mut names: Vec<&str> = rule.fields.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let known = |name: &'_ str| {
        let (kind, text) = value(name)?;
        Some(normalise(kind, &text)).filter(|text| !text.is_empty())
    };
    match rule.matching {
        Match::Any => names
            .iter()
            .filter_map(|name| Some((*name, known(name)?)))
            .map(|(name, text)| Fingerprint { field: name.to_owned(), canonical: canonical(&[(name, text)]) })
            .collect(),
        Match::All => names
            .iter()
            .map(|name| Some((*name, known(name)?)))
            .collect::<Option<Vec<_>>>()
            .map(|all| Fingerprint { field: names.join("+"), canonical: canonical(&all) })
            .into_iter()
            .collect(),
    }
}

/// Length-prefixed, so that no two lists of fields give the same text.
fn canonical(fields: &[(&str, String)]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (name, value) in fields {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}:{name}={}:{value};", name.len(), value.len());
    }
    text
}

fn normalise(kind: FieldKind, text: &str) -> String {
    match kind {
        FieldKind::Phone => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            match digits.strip_prefix('1') {
                Some(national) if digits.len() == 11 => national.to_owned(),
                _ => digits,
            }
        }
        FieldKind::Text => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let text = words.join(" ").to_lowercase();
            if text.chars().any(char::is_alphanumeric) { text } else { String::new() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(matching: Match, fields: &[&str]) -> DuplicateRule {
        DuplicateRule { window_days: 30, fields: fields.iter().map(|&f| f.to_owned()).collect(), matching }
    }

    fn of(rule: &DuplicateRule, data: &[(&str, &str)]) -> Vec<String> {
        fingerprints(rule, |name| {
            let (_, text) = data.iter().find(|(known, _)| *known == name)?;
            Some((FieldKind::guess(name), Cow::Owned((*text).to_owned())))
        })
        .into_iter()
        .map(|fingerprint| fingerprint.canonical)
        .collect()
    }

    #[test]
    fn an_address_in_other_case_is_the_same_person() {
        let any = rule(Match::Any, &["email"]);
        assert_eq!(of(&any, &[("email", " Ann@Example.COM ")]), of(&any, &[("email", "ann@example.com")]));
    }

    #[test]
    fn a_number_written_otherwise_is_the_same_person() {
        let any = rule(Match::Any, &["phone"]);
        for text in ["+1 (212) 555-0100", "212.555.0100", "12125550100"] {
            assert_eq!(of(&any, &[("phone", text)]), of(&any, &[("phone", "2125550100")]), "{text}");
        }
        assert_ne!(of(&any, &[("phone", "2125550101")]), of(&any, &[("phone", "2125550100")]));
    }

    #[test]
    fn any_gives_one_for_each_field_there_is() {
        let any = rule(Match::Any, &["email", "phone"]);
        assert_eq!(of(&any, &[("email", "a@b.c"), ("phone", "1")]).len(), 2);
        assert_eq!(of(&any, &[("email", "a@b.c")]).len(), 1);
        assert_eq!(of(&any, &[("email", "  "), ("phone", "-")]).len(), 0);
    }

    #[test]
    fn all_needs_every_field() {
        let all = rule(Match::All, &["phone", "email"]);
        assert_eq!(of(&all, &[("email", "a@b.c"), ("phone", "1")]).len(), 1);
        assert_eq!(of(&all, &[("email", "a@b.c")]).len(), 0);
        let turned = rule(Match::All, &["email", "phone"]);
        let data = [("email", "a@b.c"), ("phone", "1")];
        assert_eq!(of(&all, &data), of(&turned, &data));
    }

    #[test]
    fn a_field_cannot_pass_for_another() {
        let any = rule(Match::Any, &["a", "b"]);
        let one = of(&any, &[("a", "x")]);
        let other = of(&any, &[("b", "x")]);
        assert_ne!(one, other);
        let all = rule(Match::All, &["a", "b"]);
        assert_ne!(of(&all, &[("a", "1:b=1:2;"), ("b", "3")]), of(&all, &[("a", "1"), ("b", "2;1:b=1:3")]));
    }

    #[test]
    fn no_window_is_no_rule() {
        let off = DuplicateRule { window_days: 0, ..rule(Match::Any, &["email"]) };
        assert!(of(&off, &[("email", "a@b.c")]).is_empty());
    }
}
