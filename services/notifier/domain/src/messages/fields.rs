//! A lead's fields as people read them.

use serde_json::{Map, Value};

use super::plain::plain;

/// The most that are shown.
const MOST: usize = 60;

/// Label and value of each field, who it is and how he is reached first.
#[must_use]
pub fn readable_fields(data: &Map<String, Value>) -> Vec<(String, String)> {
    let mut fields: Vec<(&String, String)> =
        data.iter().map(|(name, value)| (name, plain(&text(value)))).filter(|(_, value)| !value.is_empty()).collect();
    fields.sort_by_key(|(name, _)| rank(&key(name)));
    fields.into_iter().take(MOST).map(|(name, value)| (label(name), value)).collect()
}

/// First and last name, where the fields tell; either may be empty.
#[must_use]
pub fn person(data: &Map<String, Value>) -> (String, String) {
    let find = |names: &[&str]| {
        let found = data.iter().find(|(name, _)| names.contains(&key(name).as_str()));
        found.and_then(|(_, value)| value.as_str()).map(plain).unwrap_or_default()
    };
    let (first, last) = (find(&["firstname", "givenname"]), find(&["lastname", "surname", "familyname"]));
    if !first.is_empty() || !last.is_empty() {
        return (first, last);
    }
    let whole = find(&["name", "fullname"]);
    match whole.split_once(' ') {
        Some((first, rest)) => (first.to_owned(), rest.to_owned()),
        None => (whole, String::new()),
    }
}

/// A name's first letter and a dot: "J."; empty when it does not begin with one.
#[must_use]
pub fn initial(name: &str) -> String {
    name.chars().next().filter(|c| c.is_alphabetic()).map(|c| format!("{c}.")).unwrap_or_default()
}

/// The same for `firstName`, `first_name` and `First Name`.
fn key(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn rank(key: &str) -> usize {
    const FIRST: [&str; 16] = [
        "firstname",
        "givenname",
        "lastname",
        "surname",
        "familyname",
        "name",
        "fullname",
        "phone",
        "phonenumber",
        "mobile",
        "email",
        "emailaddress",
        "address",
        "street",
        "city",
        "zip",
    ];
    FIRST.iter().position(|known| *known == key).unwrap_or(FIRST.len())
}

/// `firstName` is "First name".
fn label(name: &str) -> String {
    let mut words = String::new();
    let mut last = ' ';
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_whitespace() {
            words.push(' ');
        } else if c.is_uppercase() && last.is_lowercase() {
            words.push(' ');
            words.extend(c.to_lowercase());
        } else {
            words.push(c);
        }
        last = c;
    }
    let words = plain(&words);
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn people_read_labels_and_values_and_who_it_is_comes_first() {
        let data = map(json!({
            "roof_type": "flat", "owner": true, "zip": "90001", "email": "j@example.com", "lastName": "Smith", "kW": 3.5,
            "firstName": "John", "empty": "", "none": null, "tags": ["a", 1], "website": "https://evil.example",
        }));
        let fields = readable_fields(&data);
        let fields: Vec<_> = fields.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("First name", "John"),
                ("Last name", "Smith"),
                ("Email", "j@example.com"),
                ("Zip", "90001"),
                ("K w", "3.5"),
                ("Owner", "yes"),
                ("Roof type", "flat"),
                ("Tags", "a, 1"),
                ("Website", "https[:]//evil[.]example"),
            ]
        );
    }

    #[test]
    fn names_are_found_however_they_are_called() {
        for (data, wanted) in [
            (json!({"first_name": "Ann", "surname": "Lee"}), ("Ann", "Lee")),
            (json!({"Full Name": "Ann Mary Lee"}), ("Ann", "Mary Lee")),
            (json!({"name": "Ann"}), ("Ann", "")),
            (json!({"company": "Acme", "firstName": 5}), ("", "")),
        ] {
            let (first, last) = person(&map(data));
            assert_eq!((first.as_str(), last.as_str()), wanted);
        }
        assert_eq!((initial("Émile"), initial("<x"), initial("")), ("É.".to_owned(), String::new(), String::new()));
    }
}
