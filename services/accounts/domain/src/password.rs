//! Passwords: which are good enough, and how they are kept from being printed.

use std::{fmt, str::FromStr};

use crate::{Invalid, Reason};

/// Published breaches' most used passwords, in lower case, sorted.
const COMMON: &str = include_str!("common_passwords.txt");
/// More characters around a common word than this are worth something.
const DECORATION: usize = 8;

/// Which passwords are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PasswordRules {
    /// Those that are too short, and those that are guessed first.
    #[default]
    Strict,
    /// Only those that are too short: for machines where the well-known examples must work.
    Demo,
}

impl FromStr for PasswordRules {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "strict" => Ok(Self::Strict),
            "demo" => Ok(Self::Demo),
            _ => Err("must be strict or demo"),
        }
    }
}

impl fmt::Display for PasswordRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Demo => "demo",
        })
    }
}

/// A password as somebody typed it. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Characters a password must have.
    pub const MIN: usize = 10;
    /// Characters a password may have.
    pub const MAX: usize = 200;

    /// A password that somebody chooses in `field`. `own` are words that everybody knows of them.
    ///
    /// # Errors
    /// [`Reason::PasswordLength`] or [`Reason::PasswordWeak`].
    pub fn choose(field: &'static str, text: String, rules: PasswordRules, own: &[&str]) -> Result<Self, Invalid> {
        if !(Self::MIN..=Self::MAX).contains(&text.chars().count()) {
            return Err(Invalid::new(field, Reason::PasswordLength { min: Self::MIN, max: Self::MAX }));
        }
        if rules == PasswordRules::Strict
            && let Some(why) = weakness(&text, own)
        {
            return Err(Invalid::new(field, Reason::PasswordWeak(why)));
        }
        Ok(Self(text))
    }

    /// A password that is only to be compared.
    #[must_use]
    pub const fn shown(text: String) -> Self {
        Self(text)
    }

    /// The text, to be hashed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why it would be guessed soon, if it would.
fn weakness(text: &str, own: &[&str]) -> Option<&'static str> {
    let text = text.to_lowercase();
    let characters: Vec<char> = text.chars().collect();
    if is_common(&text) || decorated(&text).is_some_and(|core| readings(core).iter().any(|word| is_common(word))) {
        return Some("is, or is built on, a password that is tried first");
    }
    if repeats(&characters) || is_sequence(&characters) {
        return Some("repeats or counts");
    }
    let left = own.iter().filter(|word| word.chars().count() >= 3).fold(text, |left, word| {
        // What somebody is called, spelled as it may be.
        left.replace(&word.to_lowercase(), "")
    });
    if left.chars().filter(|c| c.is_alphanumeric()).count() < 6 && left.chars().count() < characters.len() {
        return Some("is made of your own name or address");
    }
    None
}

fn is_common(word: &str) -> bool {
    COMMON.lines().any(|line| line == word)
}

/// What is left without the digits and signs around it, when those are few.
fn decorated(text: &str) -> Option<&str> {
    let core = text.trim_matches(|c: char| !c.is_alphabetic());
    let around = text.chars().count() - core.chars().count();
    (!core.is_empty() && around <= DECORATION).then_some(core)
}

/// The word as written, and with the usual signs read as the letters they stand for.
fn readings(core: &str) -> [String; 3] {
    let read = |one: char| {
        core.chars()
            .map(|c| match c {
                '0' => 'o',
                '1' | '!' | '|' => one,
                '3' => 'e',
                '4' | '@' => 'a',
                '5' | '$' => 's',
                '7' => 't',
                other => other,
            })
            .collect()
    };
    [core.to_owned(), read('i'), read('l')]
}

/// Few different characters, or a short or common piece over and over.
fn repeats(characters: &[char]) -> bool {
    let mut different = characters.to_vec();
    different.sort_unstable();
    different.dedup();
    let piece = |length: &usize| characters.iter().enumerate().all(|(at, c)| characters[at % length] == *c);
    let period = (1..=characters.len() / 2).find(piece);
    different.len() < 5
        || period.is_some_and(|length| length <= 5 || is_common(&characters[..length].iter().collect::<String>()))
}

/// Mostly one character after the other, up or down.
fn is_sequence(characters: &[char]) -> bool {
    let steps = characters.windows(2).filter(|pair| u32::from(pair[0]).abs_diff(u32::from(pair[1])) <= 1).count();
    steps * 3 >= (characters.len() - 1) * 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strict(text: &str) -> Result<Password, Reason> {
        let own = ["jane.miller", "Jane Miller", "XYZ Agency"];
        Password::choose("password", text.to_owned(), PasswordRules::Strict, &own).map_err(|e| e.reason)
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for weak in [
            "password123",
            "Password123!",
            "P@ssw0rd2026",
            "!!pa55word!!",
            "qwertyuiop",
            "1q2w3e4r5t",
            "iloveyou2026",
            "Michael1985!",
            "passwordpassword",
            "12345678901",
            "9876543210",
            "abcdefghijkl",
            "aaaaaaaaaaaaaa",
            "abcabcabcabc",
            "aabbaabbaabb",
            "jane.miller1",
            "Jane Miller!",
            "xyz agency 1",
        ] {
            assert!(matches!(strict(weak), Err(Reason::PasswordWeak(_))), "{weak}");
        }
    }

    #[test]
    fn what_nobody_guesses_is_taken() {
        for good in [
            "correct horse battery staple",
            "Tr0ub4dor&3x",
            "leads for lunch",
            "jack-in-the-box-9",
            "jane.miller likes tea",
            "ой, какой длинный пароль",
            "kq9mzv2pwx",
        ] {
            assert!(strict(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_holds_in_every_set_of_rules() {
        let length = Err(Reason::PasswordLength { min: 10, max: 200 });
        assert_eq!(strict("kq9mzv2pw").map(drop), length);
        assert_eq!(strict(&"xk".repeat(101)).map(drop), length);
        assert!(strict("пароляхнет").is_ok());
        let demo = |text: &str| {
            Password::choose("p", text.to_owned(), PasswordRules::Demo, &[]).map(drop).map_err(|e| e.reason)
        };
        assert_eq!(demo("password123"), Ok(()));
        assert_eq!(demo("password"), length);
    }

    #[test]
    fn it_is_not_printed() {
        assert!(!format!("{:?}", Password::shown("secret stuff".into())).contains("secret"));
    }

    #[test]
    fn the_list_is_sorted_lower_case_and_long() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 19_000 && lines.is_sorted());
        assert!(lines.iter().all(|line| **line == line.to_lowercase() && line.len() >= 4));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", own in ".*") {
            let _ = Password::choose("p", text, PasswordRules::Strict, &[&own]);
        }
    }
}
