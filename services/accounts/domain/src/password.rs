//! Passwords: which are good enough, and how they are kept from being printed.

use std::{fmt, str::FromStr};

use zxcvbn::{Score, zxcvbn};

use crate::{Invalid, Reason};

/// Only so many characters are judged: the estimate's cost grows with their square.
const JUDGED: usize = 100;

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

/// Why it would be guessed soon, if it would. The estimate (zxcvbn, Wheeler 2016) knows the passwords of
/// published breaches, names, words, keyboard walks, dates, repeats, and all of it in disguise; less
/// than a hundred million guesses is too few.
fn weakness(text: &str, own: &[&str]) -> Option<&'static str> {
    let judged: String = text.chars().take(JUDGED).collect();
    let weak = zxcvbn(&judged, own).score() < Score::Three;
    weak.then_some(
        "would be guessed soon: it is, or is built on, a well-known password, a name, a pattern or your own data",
    )
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

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", own in ".*") {
            let _ = Password::choose("p", text, PasswordRules::Strict, &[&own]);
        }
    }
}
