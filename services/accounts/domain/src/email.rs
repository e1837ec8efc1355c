//! E-mail addresses.

use crate::{Invalid, Reason};

/// An e-mail address: kept as it was typed, compared without case.
///
/// Only ASCII, so that no two addresses that look alike are different, and no two that are different
/// compare as equal.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

impl Email {
    const MAX: usize = 254;
    const MAX_LOCAL: usize = 64;
    const MAX_LABEL: usize = 63;

    /// Reads an address for `field`; white space around it is dropped.
    ///
    /// # Errors
    /// [`Reason::Email`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let wrong = || Invalid::new(field, Reason::Email);
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let fits = text.len() <= Self::MAX && local.len() <= Self::MAX_LOCAL;
        let local_is_good = local.split('.').all(|part| !part.is_empty() && part.bytes().all(is_atom));
        let domain_is_good = domain.contains('.') && domain.split('.').all(is_label);
        if !(fits && local_is_good && domain_is_good) {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), key: text.to_ascii_lowercase() })
    }

    /// As it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What makes two addresses the same.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.text.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

impl std::fmt::Debug for Email {
    // Addresses do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

const fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~')
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= Email::MAX_LABEL
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_and_case_does_not_count() {
        let (one, other) =
            (Email::parse("e", " Jane.Doe@Example.COM ").unwrap(), Email::parse("e", "jane.doe@example.com").unwrap());
        assert_eq!(one.as_str(), "Jane.Doe@Example.COM");
        assert_eq!(one.key(), other.key());
        assert_eq!(one.local(), "Jane.Doe");
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "",
            "@",
            "jane",
            "jane@",
            "@example.com",
            "jane@localhost",
            "ja ne@example.com",
            "jane@exa mple.com",
            "jane@@example.com",
            "jane..doe@example.com",
            ".jane@example.com",
            "jane@-example.com",
            "jane@example..com",
            "jane@example.com.",
            "jane\n@example.com",
            "jane@example.com\r\nBcc: all@example.com",
            "jané@example.com",
            "jane@exаmple.com",
            "<jane@example.com>",
            "\"a b\"@example.com",
            &long,
        ] {
            assert!(Email::parse("e", bad).is_err(), "{bad}");
        }
        for good in ["a@b.co", "o'brien+leads@mail.example.com", "x_y-z@1.example", "A.B.C@EXAMPLE.org"] {
            assert!(Email::parse("e", good).is_ok(), "{good}");
        }
    }
}
