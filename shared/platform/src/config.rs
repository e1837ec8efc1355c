//! Settings from the environment, read as a whole: every problem is reported at once, each with the
//! name of the setting and what it should be.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// One setting as the program knows it, for the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it does, with units.
    pub help: &'static str,
    /// The value when it is not set; `None` when it must be.
    pub default: Option<String>,
    /// Never printed.
    pub secret: bool,
}

/// The environment while it is being read.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    problems: Vec<String>,
    known: Vec<Setting>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence a problem, each naming its setting.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not usable: {}", self.problems.join("; "))
    }
}
impl std::error::Error for ConfigError {}

impl Env {
    /// The process's environment.
    #[must_use]
    pub fn from_process() -> Self {
        Self { variables: std::env::vars().collect(), ..Self::default() }
    }

    /// These variables and no others.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables, ..Self::default() }
    }

    /// A setting that must be there. Its type's default stands in while problems are collected.
    pub fn required<T: FromStr + Default>(&mut self, name: &'static str, help: &'static str) -> T
    where
        T::Err: fmt::Display,
    {
        self.know(name, help, None, false);
        match self.text(name) {
            Some(text) => self.parse(name, help, &text).unwrap_or_default(),
            None => {
                self.problems.push(format!("{name} is not set ({help})"));
                T::default()
            }
        }
    }

    /// A secret that must be there. An empty text stands in while problems are collected.
    pub fn required_secret(&mut self, name: &'static str, help: &'static str) -> String {
        self.know(name, help, None, true);
        let problems = self.problems.len();
        self.secret(name).unwrap_or_else(|| {
            if self.problems.len() == problems {
                self.problems.push(format!("{name} is not set ({help})"));
            }
            String::new()
        })
    }

    /// A setting with a default.
    pub fn or<T: FromStr + fmt::Display>(&mut self, name: &'static str, default: T, help: &'static str) -> T
    where
        T::Err: fmt::Display,
    {
        self.know(name, help, Some(default.to_string()), false);
        match self.text(name) {
            Some(text) => self.parse(name, help, &text).unwrap_or(default),
            None => default,
        }
    }

    /// A setting that may be absent.
    pub fn optional<T: FromStr>(&mut self, name: &'static str, help: &'static str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        self.know(name, help, Some(String::new()), false);
        let text = self.text(name)?;
        self.parse(name, help, &text)
    }

    /// A secret that may be absent.
    pub fn optional_secret(&mut self, name: &'static str, help: &'static str) -> Option<String> {
        self.know(name, help, Some(String::new()), true);
        self.secret(name)
    }

    /// Notes a problem that only several settings together show.
    pub fn problem(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }

    /// Every setting asked for so far.
    #[must_use]
    pub fn known(&self) -> &[Setting] {
        &self.known
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.problems }) }
    }

    // An empty variable counts as not set: compose files and shells make them by accident.
    fn text(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A secret's value, or what is in the file that `<name>_FILE` names: how containers are handed secrets.
    fn secret(&mut self, name: &str) -> Option<String> {
        let file = self.text(&format!("{name}_FILE"));
        match (self.text(name), file) {
            (Some(_), Some(_)) => {
                self.problems.push(format!("{name} and {name}_FILE are both set: one of them is too many"));
                None
            }
            (value, None) => value,
            (None, Some(file)) => match std::fs::read_to_string(&file) {
                Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                Ok(_) => {
                    self.problems.push(format!("the file that {name}_FILE names is empty"));
                    None
                }
                Err(error) => {
                    self.problems.push(format!("the file that {name}_FILE names cannot be read: {error}"));
                    None
                }
            },
        }
    }

    // The value itself is not repeated: it may be a secret in the wrong place.
    fn parse<T: FromStr>(&mut self, name: &str, help: &str, text: &str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name} cannot be read: {error} ({help})"));
                None
            }
        }
    }

    fn know(&mut self, name: &'static str, help: &'static str, default: Option<String>, secret: bool) {
        if !self.known.iter().any(|setting| setting.name == name) {
            self.known.push(Setting { name, help, default, secret });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_at_once_and_names_its_setting() {
        let mut env = Env::from_pairs([("PORT", "many"), ("EMPTY", "  ")]);
        assert_eq!(env.or("PORT", 8080_u16, "port"), 8080);
        assert_eq!(env.required::<String>("EMPTY", "a text"), "");
        assert_eq!(env.required_secret("TOKEN", "a secret"), "");
        let error = env.finish().unwrap_err();
        assert_eq!(error.problems.len(), 3);
        for (problem, name) in error.problems.iter().zip(["PORT", "EMPTY", "TOKEN"]) {
            assert!(problem.starts_with(name), "{problem}");
        }
    }

    #[test]
    fn a_secret_may_be_in_a_file() {
        let folder = leadflow_testkit::TempDir::new("secrets").unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (good, empty) = (file("good", "s3cret\n"), file("empty", "\n"));
        let mut env =
            Env::from_pairs([("A_FILE", good.as_str()), ("B_FILE", empty.as_str()), ("C_FILE", "/nowhere/at/all")]);
        assert_eq!(env.required_secret("A", "a"), "s3cret");
        assert_eq!(env.required_secret("B", "b"), "");
        assert_eq!(env.optional_secret("C", "c"), None);
        let problems = env.finish().unwrap_err().problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("B_FILE") && problems[1].contains("C_FILE"), "{problems:?}");

        let mut both = Env::from_pairs([("A", "x"), ("A_FILE", good.as_str())]);
        assert_eq!(both.required_secret("A", "a"), "");
        assert!(both.finish().unwrap_err().to_string().contains("one of them is too many"));
    }

    #[test]
    fn a_bad_values_text_is_not_repeated() {
        let mut env = Env::from_pairs([("PORT", "sk_live_oops")]);
        let _ = env.optional::<u16>("PORT", "port");
        assert!(!env.finish().unwrap_err().to_string().contains("sk_live"));
    }
}
