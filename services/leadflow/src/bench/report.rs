//! What was measured, as Markdown.

use std::fmt::{self, Write as _};

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// No goal: it is there to compare with.
    None,
}

/// One figure.
#[derive(Debug, Clone)]
pub struct Figure {
    what: String,
    value: String,
    ratio: Option<f64>,
    goal: Goal,
}

/// Everything, in the order of measuring.
#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Report {
    /// A rate to compare with.
    pub fn rate(&mut self, what: impl Into<String>, per_second: f64) {
        self.figure(what, format!("{}/s", grouped(per_second)), None, Goal::None);
    }

    /// A rate as a part of another, with the part it should be.
    pub fn ratio(&mut self, what: impl Into<String>, value: f64, of: f64, goal: f64) {
        let ratio = value / of.max(1e-9);
        let value = format!("{} / {} = {ratio:.2}", grouped(value), grouped(of));
        self.figure(what, value, Some(ratio), Goal::AtLeast(goal));
    }

    /// A time in milliseconds.
    pub fn millis(&mut self, what: impl Into<String>, millis: f64, goal: Goal) {
        self.figure(what, format!("{millis:.1} ms"), Some(millis), goal);
    }

    /// Anything else.
    pub fn figure(&mut self, what: impl Into<String>, value: String, ratio: Option<f64>, goal: Goal) {
        let figure = Figure { what: what.into(), value, ratio, goal };
        eprintln!(
            "  {}: {}{}",
            figure.what,
            figure.value,
            figure.verdict().map(|v| format!(" ({v})")).unwrap_or_default()
        );
        self.figures.push(figure);
    }

    /// A sentence or table below the figures.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

impl Figure {
    fn goal(&self) -> String {
        match self.goal {
            Goal::AtLeast(goal) => format!("≥ {goal}"),
            Goal::AtMost(goal) => format!("≤ {goal}"),
            Goal::None => String::new(),
        }
    }

    fn verdict(&self) -> Option<String> {
        let value = self.ratio?;
        let (met, gap) = match self.goal {
            Goal::AtLeast(goal) => (value >= goal, goal - value),
            Goal::AtMost(goal) => (value <= goal, value - goal),
            Goal::None => return None,
        };
        Some(if met { "met".to_owned() } else { format!("falls short by {gap:.2}") })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| measured | figure | goal | verdict |\n|---|---|---|---|")?;
        for figure in &self.figures {
            let verdict = figure.verdict().unwrap_or_default();
            writeln!(f, "| {} | {} | {} | {verdict} |", figure.what, figure.value, figure.goal())?;
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// A table of two columns.
pub fn table(head: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) -> String {
    let mut text = format!("| {} | {} |\n|---|---|", head[0], head[1]);
    for (name, value) in rows {
        let _ = write!(text, "\n| {name} | {value} |");
    }
    text
}

/// A number with its thousands apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
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
    fn a_shortfall_is_said_plainly() {
        let mut report = Report::default();
        report.ratio("settled leads against plain SQL", 4_000.0, 10_000.0, 0.5);
        report.millis("decision p50", 3.0, Goal::AtMost(5.0));
        report.rate("bare", 1_234_567.0);
        let text = report.to_string();
        assert!(text.contains("| 4,000 / 10,000 = 0.40 | ≥ 0.5 | falls short by 0.10 |"), "{text}");
        assert!(text.contains("| 3.0 ms | ≤ 5 | met |"), "{text}");
        assert!(text.contains("| 1,234,567/s |  |  |"), "{text}");
    }
}
