//! How many segments a text takes: what is paid for.

use std::iter;

/// The basic table of GSM 03.38, without what only controls.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                     abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: an escape goes before each.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How a text is written on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 03.38, in septets.
    Gsm7,
    /// UTF-16, for what has any other character.
    Ucs2,
}

impl Alphabet {
    /// Of this text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|c| septets(c).is_some()) { Self::Gsm7 } else { Self::Ucs2 }
    }

    /// What a text that is one segment has at most, and each segment of a longer one.
    const fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Gsm7 => septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// 1 or 2; `None` for what GSM 03.38 does not have.
fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Whether GSM 03.38 has it.
pub(super) fn has(c: char) -> bool {
    septets(c).is_some()
}

/// How many segments `text` is sent as; at least 1. No character is cut in two: neither an escape from what follows it, nor a
/// surrogate from its other half.
#[must_use]
pub fn segments(text: &str) -> u32 {
    let alphabet = Alphabet::of(text);
    let (alone, among) = alphabet.room();
    let widths = || text.chars().map(|c| alphabet.width(c));
    if widths().sum::<usize>() <= alone {
        return 1;
    }
    let mut used = 0;
    let full = widths().chain(iter::once(among)).filter(|width| {
        let fits = used + width <= among;
        used = if fits { used + width } else { *width };
        !fits
    });
    u32::try_from(full.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_has_what_gsm_03_38_has() {
        assert_eq!(BASIC.chars().count(), 127, "128 places, of which one is the escape");
        assert_eq!(EXTENSION.chars().count(), 10);
        for c in ['`', 'ç', '…', '’', 'Á', '\t', 'ł', '😀'] {
            assert_eq!(Alphabet::of(&c.to_string()), Alphabet::Ucs2, "{c}");
        }
    }

    #[test]
    fn segments_are_counted_as_carriers_do() {
        for (text, wanted) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            (format!("{}€", "a".repeat(158)), 1),
            (format!("{}€", "a".repeat(159)), 2),
            // The first has room for half of it: it goes to the second, and pushes one on to a third.
            (format!("{}€{}", "a".repeat(152), "a".repeat(151)), 2),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3),
            ("ж".repeat(70), 1),
            ("ж".repeat(71), 2),
            ("ж".repeat(134), 2),
            ("ж".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            // 33 in a segment, since half a one is none.
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            (format!("{}ж", "a".repeat(69)), 1),
            (format!("{}ж", "a".repeat(70)), 2),
        ] {
            assert_eq!(segments(&text), wanted, "{} characters", text.chars().count());
        }
    }

    proptest! {
        #[test]
        fn a_count_lies_between_what_is_needed_and_what_cutting_may_waste(text in "(?s)([a-z€\\[]|[ж😀]|.){0,400}") {
            let alphabet = Alphabet::of(&text);
            let (alone, among) = alphabet.room();
            let width: usize = text.chars().map(|c| alphabet.width(c)).sum();
            let count = usize::try_from(segments(&text)).unwrap();
            if width <= alone {
                prop_assert_eq!(count, 1);
            } else {
                prop_assert!(count >= width.div_ceil(among) && count <= width.div_ceil(among - 1));
                prop_assert!(count >= 2);
            }
            if alphabet == Alphabet::Ucs2 {
                prop_assert_eq!(width, text.encode_utf16().count());
            }
        }

        #[test]
        fn more_is_never_fewer(text in ".{0,200}", more in ".{0,100}") {
            let longer = format!("{text}{more}");
            prop_assert!(segments(&longer) >= segments(&text));
        }
    }
}
