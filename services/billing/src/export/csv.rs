//! The ledger as comma-separated values (RFC 4180, with line feeds).

use std::{
    borrow::Cow,
    io::{self, Write},
};

use chrono::SecondsFormat;
use rust_decimal::Decimal;

use crate::store::ledger::{LedgerAccount, LedgerLine};

/// The names of the columns.
pub(super) fn begin(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "posting,time,kind,description,account,amount,currency,balance")
}

/// A line; `balance` is the account's after it, in the order of the file.
pub(super) fn line(
    out: &mut impl Write,
    line: &LedgerLine,
    account: &LedgerAccount,
    balance: Decimal,
) -> io::Result<()> {
    let time = line.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    write!(out, "{},{time},{},{},", line.posting, line.kind, text(&line.description))?;
    write!(out, "{}:{}", account.kind, account.seller)?;
    if let Some(buyer) = account.buyer {
        write!(out, ":{buyer}")?;
    }
    writeln!(out, ",{:.2},{},{balance:.2}", line.amount, account.currency)
}

/// A text as a field. What a spreadsheet would take for a formula gets an apostrophe before it, for others write these texts.
fn text(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let quoted = formula || text.contains([',', '"', '\n', '\r']);
    match (quoted, formula) {
        (false, _) => text.into(),
        (true, false) => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        (true, true) => format!("\"'{}\"", text.replace('"', "\"\"")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn texts_are_quoted_where_they_must_be_and_are_never_formulas() {
        for (plain, written) in [
            ("Solar Florida", "Solar Florida"),
            ("", ""),
            ("a, b", "\"a, b\""),
            ("say \"hi\"\nthere", "\"say \"\"hi\"\"\nthere\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-x", "\"'-x\""),
            ("\n=1+1", "\"'\n=1+1\""),
        ] {
            assert_eq!(text(plain), written);
        }
    }
}
