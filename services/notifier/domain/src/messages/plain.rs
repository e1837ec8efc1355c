//! Text that somebody else wrote, made harmless: it can say something, and nothing more. Markup is escaped where HTML is written;
//! here go what a mail program would make a link of, and what changes how the rest is read.

/// The longest value that is shown.
const LONGEST: usize = 500;
/// What mail programs and browsers take for a dot.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// `text` on one line, without characters that cannot be seen, and without anything that is made a link of: `www.example.com` becomes
/// `www[.]example[.]com`. An e-mail address stays one.
#[must_use]
pub fn plain(text: &str) -> String {
    let seen: String = text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }).collect();
    let words = seen.split(' ').map(|word| word.chars().filter(|c| !is_hidden(*c)).collect::<String>());
    let line = words.filter(|word| !word.is_empty()).map(|word| defused(&word)).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    let kept: String = line.chars().take(LONGEST - 1).collect();
    format!("{kept}…")
}

/// A name that may stand beside ours, e.g. in a mail's sender; `None` when it is no name, but could be an address, a link, a message, or
/// an encoded word (RFC 2047), which could be any of them.
#[must_use]
pub fn plain_name(name: &str) -> Option<String> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let dotted = name.split(' ').any(|word| word.trim_end_matches(DOTS).contains(DOTS));
    let fine = (1..=80).contains(&name.chars().count())
        && !dotted
        && !name.contains("=?")
        && !name.chars().any(|c| c.is_control() || is_hidden(c) || "/@:<>&\"\\".contains(c));
    fine.then_some(name)
}

/// Of no width, or turning the direction of what follows.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether it is an e-mail address and nothing else.
fn is_address(word: &str) -> bool {
    let word = word.trim_end_matches([',', ';']);
    let Some((local, domain)) = word.split_once('@') else { return false };
    let fits = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    fits(local, "._%+-") && fits(domain, ".-") && local.chars().any(|c| c.is_ascii_alphanumeric())
}

fn defused(word: &str) -> String {
    if is_address(word) {
        return word.to_owned();
    }
    let chars: Vec<char> = word.chars().collect();
    let mut safe = String::with_capacity(word.len() + 8);
    for (at, c) in chars.iter().copied().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let joins = before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| c.is_alphanumeric());
        // "3.5" and "12.50" are numbers, "1.2.3.4" and "a.b" are places.
        let number = before.is_some_and(|c| c.is_ascii_digit())
            && after.is_some_and(|c| c.is_ascii_digit())
            && chars.iter().filter(|c| DOTS.contains(c)).count() == 1
            && !chars.iter().any(|c| c.is_alphabetic());
        if DOTS.contains(&c) && joins && !number {
            safe.push_str("[.]");
        } else if c == ':'
            && (before.is_some_and(char::is_alphanumeric) || after == Some('/'))
            && after.is_some_and(|c| !c.is_whitespace() && !c.is_ascii_digit())
        {
            safe.push_str("[:]");
        } else if c == '@' && joins {
            safe.push_str("[@]");
        } else if c == '?' && before == Some('=') {
            // In a header that would begin an encoded word (RFC 2047): another text for who reads it than for who looks at it here.
            safe.push_str(" ?");
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "John O'Neil Jr.",
            "Zürich, 5. Stock",
            "john.smith+leads@example.co.uk",
            "+1 (555) 010-0199",
            "12.50",
            "10:30",
            "A/C & <heating>",
            "Yes. No.",
            "3,5 kW",
            "5'11\"",
            "2026-11-23",
        ] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn nothing_becomes_a_link() {
        for (text, safe) in [
            ("https://evil.example/x?a=b", "https[:]//evil[.]example/x?a=b"),
            ("www.evil.com", "www[.]evil[.]com"),
            ("see evil。com", "see evil[.]com"),
            ("ev\u{200b}il.com", "evil[.]com"),
            ("http://1.2.3.4", "http[:]//1[.]2[.]3[.]4"),
            ("://evil", "[:]//evil"),
            ("javascript:alert(1)", "javascript[:]alert(1)"),
            ("mailto:a@b.com", "mailto[:]a[@]b[.]com"),
            ("https://me@evil.com", "https[:]//me[@]evil[.]com"),
            ("a\r\nBcc: all@example.com", "a Bcc: all@example.com"),
            ("\u{202e}moc", "moc"),
            ("://", "[:]//"),
            ("=?utf-8?B?d3d3LmV2aWwuY29t?=", "= ?utf-8?B?d3d3LmV2aWwuY29t?="),
            ("=\u{200b}?utf-8?Q?x?=", "= ?utf-8?Q?x?="),
        ] {
            assert_eq!(plain(text), safe);
        }
        assert_eq!(plain(&"x".repeat(900)).chars().count(), LONGEST);
    }

    #[test]
    fn names_are_names() {
        assert_eq!(plain_name("  Acme   Solar Inc. "), Some("Acme Solar Inc.".to_owned()));
        for name in [
            "",
            " ",
            "evil.example",
            "a@b",
            "<b>x</b>",
            "x: y",
            "a\u{202e}b",
            &"x".repeat(81),
            "http://x",
            "=?utf-8?Q?x?=",
        ] {
            assert_eq!(plain_name(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_is_one_line_without_a_scheme_or_a_host(text in ".{0,120}", host in "[a-z]{1,8}", path in "[a-z/]{0,8}") {
            let safe = plain(&format!("{text} http://{host}.com/{path} {host}.net{path}"));
            prop_assert!(!safe.contains("://") && !safe.contains("=?") && !safe.chars().any(char::is_control));
            prop_assert!(!safe.contains(".com") && !safe.contains(".net"), "{safe}");
        }
    }
}
