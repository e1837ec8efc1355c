//! Made-up people with addresses that belong to nobody.

use leadflow_contracts::common::{FieldDef, FieldType};
use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

const FIRST: &[&str] = &[
    "Mary", "James", "Patricia", "Robert", "Linda", "John", "Barbara", "Michael", "Susan", "David", "Dorothy",
    "William", "Carol", "Richard", "Ruth", "Joseph", "Sharon", "Thomas", "Michelle", "Charles", "Anna", "José",
    "Betty", "Daniel", "Helen", "Matthew", "Sandra", "Anthony", "Donna", "Mark", "Rosa", "Chloë",
];
const LAST: &[&str] = &[
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Garcia",
    "Miller",
    "Davis",
    "Rodriguez",
    "Martinez",
    "Hernandez",
    "Lopez",
    "Wilson",
    "Anderson",
    "Thomas",
    "Taylor",
    "Moore",
    "Jackson",
    "Martin",
    "Lee",
    "O'Brien",
    "Nguyen",
    "Thompson",
    "White",
    "Núñez",
    "Clark",
    "Lewis",
    "Robinson",
    "Walker",
    "Young",
    "Allen",
    "King",
];
const COVERAGE: &[&str] = &["Plan G", "Plan N", "Plan F", "Not sure"];
/// State, its name, one of its area codes, how a ZIP begins there, and how many people of a hundred
/// or so live there. Nobody of the waterfall's own buyers sells in the last four.
const STATES: &[(&str, &str, &str, &str, u32)] = &[
    ("CA", "California", "213", "900", 16),
    ("NV", "Nevada", "702", "891", 3),
    ("WA", "Washington", "206", "981", 4),
    ("AZ", "Arizona", "602", "850", 5),
    ("TX", "Texas", "214", "752", 14),
    ("OK", "Oklahoma", "405", "731", 3),
    ("LA", "Louisiana", "504", "701", 3),
    ("FL", "Florida", "305", "331", 13),
    ("GA", "Georgia", "404", "303", 6),
    ("NC", "North Carolina", "704", "282", 6),
    ("NY", "New York", "212", "100", 9),
    ("NJ", "New Jersey", "201", "073", 4),
    ("PA", "Pennsylvania", "215", "191", 5),
    ("OH", "Ohio", "216", "441", 4),
    ("MN", "Minnesota", "612", "554", 2),
    ("AK", "Alaska", "907", "995", 1),
    ("HI", "Hawaii", "808", "968", 1),
];

/// Somebody who asks for an offer.
#[derive(Debug, Clone)]
pub struct Person {
    /// As the supplier writes it; `None` when it does not know.
    pub state: Option<String>,
    /// The lead's `data`.
    pub data: Value,
}

/// Person number `number`, who shares neither e-mail nor phone with any other.
pub fn person(rng: &mut StdRng, number: usize) -> Person {
    let first = pick(rng, FIRST);
    let last = pick(rng, LAST);
    let (code, name, area, zip, _) = home(rng);
    let line = 1_000 + number % 9_000;
    // Exchanges of the form 2xx to 9xx without 555 and N11 are ordinary numbers.
    let exchange = 230 + number / 9_000;
    let phone = match rng.random_range(0..4) {
        0 => format!("({area}) {exchange}-{line}"),
        1 => format!("{area}-{exchange}-{line}"),
        _ => format!("+1{area}{exchange}{line}"),
    };
    let ascii = |name: &str| name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let age: u32 = rng.random_range(61..=88);
    let data = json!({
        "firstName": first,
        "lastName": last,
        "email": format!("{}.{}{number}@example.{}", ascii(first), ascii(last), pick(rng, &["com", "net", "org"])),
        "phone": phone,
        // Forms send numbers as text as often as not.
        "age": if rng.random_bool(0.3) { json!(age.to_string()) } else { json!(age) },
        "zip": format!("{zip}{:02}", rng.random_range(1..60)),
        "coverage": pick(rng, COVERAGE),
        "smoker": rng.random_bool(0.15),
    });
    let state = match rng.random_range(0..100) {
        0..3 => None,
        3..8 => Some(name.to_owned()),
        8..12 => Some(code.to_lowercase()),
        _ => Some(code.to_owned()),
    };
    Person { state, data }
}

/// The fields of the category that these people fit in.
pub fn fields() -> Vec<FieldDef> {
    let mut fields = crate::seed::fields();
    fields.retain(|field| field.name != "coverage");
    let field =
        |name: &str, kind: FieldType| FieldDef { name: name.to_owned(), r#type: kind.into(), ..FieldDef::default() };
    fields.push(field("zip", FieldType::Zip));
    fields.push(FieldDef {
        options: COVERAGE.iter().map(|&option| option.to_owned()).collect(),
        ..field("coverage", FieldType::Select)
    });
    fields.push(field("smoker", FieldType::Boolean));
    fields
}

fn pick<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from.choose(rng).copied().unwrap_or_default()
}

fn home(rng: &mut StdRng) -> (&'static str, &'static str, &'static str, &'static str, u32) {
    let all: u32 = STATES.iter().map(|state| state.4).sum();
    let mut place = rng.random_range(0..all);
    for state in STATES {
        match place.checked_sub(state.4) {
            Some(rest) => place = rest,
            None => return *state,
        }
    }
    STATES[0]
}
