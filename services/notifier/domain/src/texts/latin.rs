//! What others wrote, with the characters that text messages have: letters with marks that GSM 03.38 lacks lose them, typographic
//! characters become plain ones. One character that is left makes a message more than twice as dear.

use super::gsm;

/// Each of these becomes what stands beside it.
const LETTERS: &[(&str, &str)] = &[
    ("ÀÁÂÃĀĂĄǍȀȂẠẢẤẦẨẪẬẮẰẲẴẶ", "A"),
    ("áâãāăąǎȁȃạảấầẩẫậắằẳẵặª", "a"),
    ("ĆĈĊČ", "C"),
    ("çćĉċč", "c"),
    ("ĎĐÐ", "D"),
    ("ďđð", "d"),
    ("ÈÊËĒĔĖĘĚẸẺẼẾỀỂỄỆ", "E"),
    ("êëēĕėęěẹẻẽếềểễệ", "e"),
    ("ĜĞĠĢ", "G"),
    ("ĝğġģ", "g"),
    ("ĤĦ", "H"),
    ("ĥħ", "h"),
    ("ÌÍÎÏĨĪĬĮİỈỊ", "I"),
    ("íîïĩīĭįıỉị", "i"),
    ("Ĵ", "J"),
    ("ĵ", "j"),
    ("Ķ", "K"),
    ("ķĸ", "k"),
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("ŃŅŇŊ", "N"),
    ("ńņňŉŋ", "n"),
    ("ÒÓÔÕŌŎŐƠỌỎỐỒỔỖỘỚỜỞỠỢ", "O"),
    ("óôõōŏőơọỏốồổỗộớờởỡợº", "o"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠȘ", "S"),
    ("śŝşšșſ", "s"),
    ("ŢŤŦȚ", "T"),
    ("ţťŧț", "t"),
    ("ÙÚÛŨŪŬŮŰŲƯỤỦỨỪỬỮỰ", "U"),
    ("úûũūŭůűųưụủứừửữự", "u"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ÝŶŸỲỴỶỸ", "Y"),
    ("ýŷÿỳỵỷỹ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("Þ", "Th"),
    ("þ", "th"),
    ("ẞ", "SS"),
    ("Ĳ", "IJ"),
    ("ĳ", "ij"),
    ("‘’‚‛′`´ʼʹ", "'"),
    ("“”„‟″«»", "\""),
    ("‐‑‒–—―−", "-"),
    ("‹", "<"),
    ("›", ">"),
    ("…", "..."),
    ("。．｡", "."),
    ("×", "x"),
    ("÷⁄", "/"),
    ("¢", "c"),
    ("½", "1/2"),
    ("¼", "1/4"),
    ("¾", "3/4"),
    ("²", "2"),
    ("³", "3"),
    ("¹", "1"),
];

/// `text` with characters of GSM 03.38 where there are any for it. Symbols that have none go; letters of other scripts stay.
pub(super) fn latin(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match LETTERS.iter().find(|(letters, _)| letters.contains(c)) {
            Some((_, instead)) => plain.push_str(instead),
            None if gsm::has(c) || !is_decoration(c) => plain.push(c),
            None => {}
        }
    }
    plain
}

/// Marks of the letter before, which has lost its others, too; punctuation, arrows, pictures; signs of the Latin scripts.
fn is_decoration(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | '\u{2b0}'..='\u{36f}' | '\u{2000}'..='\u{2bff}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{1f000}'..='\u{1ffff}' | '\u{e0000}'..)
        || c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::gsm::Alphabet, *};

    #[test]
    fn names_stay_readable() {
        for (text, wanted) in [
            ("Łukasz Żółć", "Lukasz Zolc"),
            ("François Müller", "Francois Müller"),
            ("Nguyễn Thị", "Nguyen Thi"),
            ("Jose\u{301} “Pepe” O’Neil—Ruiz…", "Jose \"Pepe\" O'Neil-Ruiz..."),
            ("☀️ Solar ⚡ West™", " Solar  West"),
            ("Иван 太郎", "Иван 太郎"),
            ("5 m² 🏠", "5 m2 "),
        ] {
            assert_eq!(latin(text), wanted);
        }
    }

    #[test]
    fn all_that_is_written_otherwise_is_in_the_table() {
        for (letters, instead) in LETTERS {
            assert_eq!(Alphabet::of(instead), Alphabet::Gsm7, "{letters}");
            for c in letters.chars() {
                assert!(!gsm::has(c), "{c} needs no other");
                assert_eq!(LETTERS.iter().filter(|(other, _)| other.contains(c)).count(), 1, "{c}");
            }
        }
    }

    #[test]
    fn latin_letters_are_all_in_the_table() {
        for c in ('A'..='ſ').chain('Ạ'..='ỹ') {
            assert_eq!(Alphabet::of(&latin(&c.to_string())), Alphabet::Gsm7, "{c}");
        }
    }

    proptest! {
        #[test]
        fn once_is_enough_and_what_the_table_has_stays(text in ".{0,80}", kept in "[A-Za-z0-9 äöüñéà€@$.,]{0,40}") {
            let once = latin(&text);
            prop_assert_eq!(latin(&once), once.clone());
            prop_assert_eq!(latin(&kept), kept);
        }
    }
}
