//! Tables for a terminal.

use std::fmt;

use rust_decimal::Decimal;

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a line of headings.
#[derive(Debug, Clone)]
pub struct Table {
    headings: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    total: bool,
}

impl Table {
    /// No rows yet.
    #[must_use]
    pub fn new(headings: &[(&str, Align)]) -> Self {
        let headings = headings.iter().map(|(text, align)| ((*text).to_owned(), *align)).collect();
        Self { headings, rows: Vec::new(), total: false }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.headings.len(), String::new());
        self.rows.push(cells);
    }

    /// Adds the last row, set apart by a line.
    pub fn total(&mut self, cells: impl IntoIterator<Item = String>) {
        self.row(cells);
        self.total = true;
    }

    /// Leaves out the columns, beyond the first `keep`, in which every row says nothing or 0.
    #[must_use]
    pub fn without_idle_columns(mut self, keep: usize) -> Self {
        let idle = |column: usize| self.rows.iter().all(|row| matches!(row[column].as_str(), "" | "0" | "·"));
        let kept: Vec<bool> = (0..self.headings.len()).map(|column| column < keep || !idle(column)).collect();
        let retain = |cells: &mut Vec<String>| {
            let mut column = kept.iter();
            cells.retain(|_| column.next().copied().unwrap_or(true));
        };
        self.rows.iter_mut().for_each(retain);
        let mut column = kept.iter();
        self.headings.retain(|_| column.next().copied().unwrap_or(true));
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
                cells.max(width(&self.headings[column].0))
            })
            .collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: &[&str]| {
            let mut text = String::from("  ");
            for ((cell, space), (_, align)) in cells.iter().zip(&widths).zip(&self.headings) {
                let blank = " ".repeat(space - width(cell));
                match align {
                    Align::Left => text.extend([*cell, &blank]),
                    Align::Right => text.extend([&blank, *cell]),
                }
                text.push_str("  ");
            }
            writeln!(f, "{}", text.trim_end())
        };
        let rule: Vec<String> = widths.iter().map(|space| "─".repeat(*space)).collect();
        let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
        line(f, &self.headings.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>())?;
        line(f, &rule)?;
        for (number, row) in self.rows.iter().enumerate() {
            if self.total && number + 1 == self.rows.len() {
                line(f, &rule)?;
            }
            line(f, &row.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// "1,234,567"; a dot for nothing, which the eye can skip.
#[must_use]
pub fn count(number: u64) -> String {
    if number == 0 { "·".to_owned() } else { grouped(&number.to_string()) }
}

/// "$1,234.50"
#[must_use]
pub fn dollars(amount: Decimal) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let sign = if amount.is_sign_negative() && !amount.is_zero() { "-" } else { "" };
    format!("{sign}${}.{cents}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_total_is_set_apart() {
        let mut table = Table::new(&[("Buyer", Align::Left), ("Leads", Align::Right), ("Idle", Align::Right)]);
        table.row(["Zoë".to_owned(), count(7), count(0)]);
        table.total(["All".to_owned(), count(12_345), count(0)]);
        let shown = table.without_idle_columns(1).to_string();
        assert_eq!(shown, "  Buyer   Leads\n  ─────  ──────\n  Zoë         7\n  ─────  ──────\n  All    12,345\n");
    }

    #[test]
    fn money_is_grouped_and_has_cents() {
        for (amount, shown) in
            [("0", "$0.00"), ("1234.5", "$1,234.50"), ("-1000000", "-$1,000,000.00"), ("999", "$999.00")]
        {
            assert_eq!(dollars(amount.parse().unwrap()), shown);
        }
    }
}
