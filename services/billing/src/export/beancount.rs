//! The ledger in beancount's plain text, from the platform's point of view: what it owes others are liabilities, what it
//! earned is income. There debits are positive, and here what adds to an account is: every sign is turned.

use std::{
    fmt::Display,
    io::{self, Write},
};

use chrono::{Days, NaiveDate, SecondsFormat};
use rust_decimal::Decimal;

use crate::store::ledger::{LedgerAccount, LedgerLine, Part, Span};

/// The head of the file, the accounts, and what was in them before.
pub(super) fn begin(out: &mut impl Write, part: &Part, accounts: &[LedgerAccount], span: Span) -> io::Result<()> {
    writeln!(out, "; The ledger of LeadFlow, by bean-check's rules. Days are in UTC.")?;
    writeln!(out, "option \"title\" \"LeadFlow\"")?;
    let mut currencies: Vec<&str> = accounts.iter().map(|account| account.currency.code()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    for currency in currencies {
        writeln!(out, "option \"operating_currency\" \"{currency}\"")?;
    }
    writeln!(out)?;
    let Some(first) = first_day(part, span) else { return Ok(()) };
    for account in accounts {
        writeln!(out, "{first} open {} {}", name(account), account.currency)?;
    }
    writeln!(out)?;
    let opening: Vec<_> = accounts.iter().filter(|account| !account.opening.is_zero()).collect();
    if !opening.is_empty() {
        writeln!(out, "{first} * \"opening\" \"What there was before\"")?;
        for account in opening {
            line(out, account, account.opening)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The first line of a posting.
pub(super) fn transaction(out: &mut impl Write, head: &LedgerLine) -> io::Result<()> {
    let day = head.at.date_naive();
    writeln!(out, "{day} * {} {}", text(&head.kind), text(&head.description))?;
    writeln!(out, "  posting: {}", text(&head.posting.to_string()))?;
    writeln!(out, "  time: {}", text(&head.at.to_rfc3339_opts(SecondsFormat::Micros, true)))
}

/// One of its lines.
pub(super) fn line(out: &mut impl Write, account: &LedgerAccount, amount: Decimal) -> io::Result<()> {
    writeln!(out, "  {}  {} {}", name(account), turned(amount), account.currency)
}

/// What must be in the accounts when all is read. By PostgreSQL's own sums, not by those of the lines that were written.
pub(super) fn end(out: &mut impl Write, part: &Part, accounts: &[LedgerAccount], span: Span) -> io::Result<()> {
    let last = span.map(|(_, last)| last.date_naive()).or(part.from);
    let Some(day) = last.and_then(|day| day.checked_add_days(Days::new(1))) else { return Ok(()) };
    for account in accounts {
        writeln!(out, "{day} balance {}  {} {}", name(account), turned(account.closing), account.currency)?;
    }
    Ok(())
}

/// When the accounts are opened.
fn first_day(part: &Part, span: Span) -> Option<NaiveDate> {
    part.from.or(span.map(|(first, _)| first.date_naive()))
}

/// Legal parts of a name begin with a capital letter or a digit, and have letters, digits and dashes.
fn name(account: &LedgerAccount) -> String {
    let seller = owner("Seller", account.seller);
    let buyer = account.buyer.map(|buyer| owner("Buyer", buyer));
    let (root, what) = match account.kind.as_str() {
        "buyer_wallet" => ("Liabilities", "Wallet"),
        "seller_earnings" => ("Liabilities", "Earnings"),
        "disputed" => ("Liabilities", "Disputed"),
        "platform_fees" => ("Income", "Fees"),
        "platform_usage" => ("Income", "Usage"),
        "external_funding" => ("Assets", "External-Funding"),
        "card_clearing" => ("Assets", "Card-Clearing"),
        "buyer_debt" => ("Assets", "Debt"),
        // A kind of a later release.
        other => {
            return format!(
                "Equity:{seller}:{}{}",
                capital(other),
                buyer.map(|of| format!(":{of}")).unwrap_or_default()
            );
        }
    };
    match buyer {
        Some(buyer) => format!("{root}:{seller}:{what}:{buyer}"),
        None => format!("{root}:{seller}:{what}"),
    }
}

/// `seller_01h455…` as `Seller-01H455…`.
fn owner(what: &str, id: impl Display) -> String {
    let id = id.to_string();
    let suffix = id.rsplit('_').next().unwrap_or_default().to_ascii_uppercase();
    format!("{what}-{suffix}")
}

fn capital(kind: &str) -> String {
    let mut text: String = kind.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The other sign; nothing has none.
fn turned(amount: Decimal) -> String {
    let mut amount = if amount.is_zero() { Decimal::ZERO } else { -amount };
    amount.rescale(2);
    amount.to_string()
}

/// A text in quotes, on one line.
fn text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            _ if c.is_control() => quoted.push(' '),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_names_are_legal() {
        assert_eq!(text("say \"hi\" \\ there\nnow"), "\"say \\\"hi\\\" \\\\ there now\"");
        assert_eq!(owner("Buyer", "buyer_01h455vb4pex5vsknk084sn02q"), "Buyer-01H455VB4PEX5VSKNK084SN02Q");
        assert_eq!(capital("new_kind"), "New-kind");
        assert_eq!((turned(Decimal::ZERO), turned("1.5".parse().unwrap())), ("0.00".to_owned(), "-1.50".to_owned()));
    }
}
