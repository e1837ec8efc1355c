//! Looking for one person everywhere: in every table that there is, and in every stream. It asks the catalogue which columns could hold a text,
//! so one that is added later is searched, too.

mod streams;
mod tables;

use leadflow_kernel::SellerId;
use leadflow_messaging::Bus;

use crate::migrate::Schema;

/// Whom to look for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose leads.
    pub seller: SellerId,
    /// In small letters; empty: not looked for.
    pub email: String,
    /// Digits, without the country code of the United States; empty: not looked for.
    pub number: String,
}

impl Wanted {
    /// Reads how people write addresses and numbers.
    pub fn new(seller: SellerId, email: &str, phone: &str) -> Self {
        let digits: String = phone.replacen("(0)", "", 1).chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("011").filter(|_| digits.len() > 11).unwrap_or(&digits).to_owned();
        let number = digits.strip_prefix('1').filter(|_| digits.len() == 11).unwrap_or(&digits).to_owned();
        Self { seller, email: email.trim().to_lowercase(), number }
    }

    /// Whether a text names him.
    fn is_in(&self, text: &str) -> bool {
        let squeezed = || text.chars().filter(|c| !is_between_digits(*c)).collect::<String>();
        (!self.email.is_empty() && text.to_lowercase().contains(&self.email))
            || (!self.number.is_empty() && squeezed().contains(&self.number))
    }
}

/// What people write between the digits of a number.
fn is_between_digits(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '.' | '+' | '/' | '-')
}

/// A place, and how many rows or messages there name him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A column, or a stream.
    pub name: String,
    /// Of rows or messages.
    pub count: i64,
}

/// What was found, and where it could not be looked.
#[derive(Debug, Default)]
pub struct Found {
    /// Where he is named.
    pub places: Vec<Place>,
    /// How many columns and streams were searched.
    pub searched: usize,
    /// Columns whose contents are encrypted.
    pub sealed: Vec<String>,
}

/// Looks everywhere.
///
/// # Errors
/// When a database or NATS cannot be reached.
pub async fn search(schemas: &[Schema], bus: &Bus, wanted: &Wanted) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for schema in schemas {
        tables::search(schema, wanted, &mut found).await?;
    }
    streams::search(bus, wanted, &mut found).await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_seen_however_he_is_written() {
        let ann = Wanted::new(SellerId::new(), " Ann@Example.com ", "+1 (212) 555-0100");
        for text in ["to ANN@example.com.", "212.555.0100", "x12125550100y", "{\"phone\":\"+1 212 555 0100\"}"] {
            assert!(ann.is_in(text), "{text}");
        }
        assert!(!ann.is_in("an@example.com 212 555 0101"));
        let nobody = Wanted::new(SellerId::new(), "", "");
        assert!(!nobody.is_in("anything"));
        assert_eq!(Wanted::new(SellerId::new(), "", "011 44 (0)20 7946 0018").number, "442079460018");
    }
}
