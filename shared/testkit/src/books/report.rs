//! What the checker found, as a table.

use std::fmt;

use super::Invariant;

/// What became of one invariant.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The promise.
    pub invariant: &'static Invariant,
    /// Rows (or groups of rows) it was checked on.
    pub checked: i64,
    /// Rows that break it.
    pub violations: i64,
    /// The first of them, each in a few words.
    pub examples: Vec<String>,
}

/// What the checker found.
#[derive(Debug, Clone)]
pub struct Report {
    /// One entry an invariant, in the order they were checked.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether no invariant is broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The broken invariants.
    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.violations > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.findings.iter().map(|finding| finding.invariant.name.len()).max().unwrap_or(0);
        writeln!(f, "    {:width$}  {:>12}  {:>7}", "invariant", "rows checked", "broken")?;
        for finding in &self.findings {
            let mark = if finding.violations == 0 { "ok" } else { "!!" };
            let (checked, broken) = (grouped(finding.checked), grouped(finding.violations));
            writeln!(f, " {mark} {:width$}  {checked:>12}  {broken:>7}", finding.invariant.name)?;
            if finding.violations > 0 {
                writeln!(f, "      promised: {}", finding.invariant.sentence)?;
                for example in &finding.examples {
                    writeln!(f, "      - {example}")?;
                }
                let more = finding.violations - finding.examples.len() as i64;
                if more > 0 {
                    writeln!(f, "      … and {} more", grouped(more))?;
                }
            }
        }
        match self.broken().count() {
            0 => write!(f, "    The books are right: {} invariants hold.", self.findings.len()),
            broken => write!(f, "    THE BOOKS ARE WRONG: {broken} of {} invariants are broken.", self.findings.len()),
        }
    }
}

/// "1,234,567"
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
