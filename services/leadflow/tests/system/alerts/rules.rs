//! The alert rules as they are, and with shorter times.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A minute of `for:` is four seconds.
const HELD_LESS: u64 = 15;
/// Five minutes that a rate is taken over are thirty seconds: it must see some of what goes on.
const SEEN_LESS: u64 = 10;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The rules that operators have.
pub fn text() -> String {
    fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).unwrap()
}

/// The names of the alerts.
pub fn names(rules: &str) -> BTreeSet<String> {
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

/// The same rules with shorter `for:` and ranges; what they say and compare with is as it was.
pub fn shortened(rules: &str) -> String {
    timed(rules, &|seconds| format!("{}s", seconds / HELD_LESS), &|seconds| format!("{}s", seconds / SEEN_LESS))
}

/// The rules without their times.
pub fn timeless(rules: &str) -> String {
    timed(rules, &|_| String::new(), &|_| String::new())
}

fn timed(rules: &str, held: &dyn Fn(u64) -> String, range: &dyn Fn(u64) -> String) -> String {
    let mut text = String::new();
    for line in rules.lines() {
        if let Some((before, time)) = line.split_once("for: ").filter(|(before, _)| before.trim().is_empty()) {
            text += &format!("{before}for: {}\n", held(seconds(time).unwrap_or_else(|| panic!("{line}"))));
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('[') {
            let (inside, after) = after.split_once(']').unwrap_or_else(|| panic!("no end of a range: {line}"));
            let inside = seconds(inside).map_or_else(|| inside.to_owned(), range);
            text += &format!("{before}[{inside}]");
            rest = after;
        }
        text += rest;
        text.push('\n');
    }
    text
}

/// A time such as `30s`, `5m` or `1h`.
fn seconds(time: &str) -> Option<u64> {
    let time = time.trim();
    let unit = match time.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    time[..time.len() - 1].parse::<u64>().ok().map(|count| count * unit)
}

#[test]
fn only_times_are_shortened() {
    let rules = "  - alert: A\n    expr: sum(rate(a_total{b=~\"[x]\"}[5m])) / sum(rate(a_total[1h])) > 300\n    for: 5m\n    for_: 5m\n";
    assert_eq!(
        shortened(rules),
        "  - alert: A\n    expr: sum(rate(a_total{b=~\"[x]\"}[30s])) / sum(rate(a_total[360s])) > 300\n    for: 20s\n    for_: 5m\n"
    );
    let (rules, short) = (text(), shortened(&text()));
    assert_eq!(timeless(&rules), timeless(&short));
    assert_eq!(names(&rules), names(&short));
    assert_eq!(rules.lines().count(), short.lines().count());
    for (was, is) in rules.lines().zip(short.lines()).filter(|(was, is)| was != is) {
        assert!(was.contains("for: ") || was.contains('['), "{was} became {is}");
    }
    assert!(!short.contains("for: 0s") && !short.contains("[0s]"), "{short}");
}
