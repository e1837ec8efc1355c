//! How many messages of a phone network a text is, counted after 3GPP TS 23.038.

/// Besides the letters, digits and punctuation that [`units`] knows by range.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Written with an escape before them: two places each.
const GSM_ESCAPED: &str = "\u{c}^{}\\[~]|€";

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(crate) encoding: &'static str,
    pub(crate) count: u32,
}

/// Counts those of a text.
pub(crate) fn segments(text: &str) -> Segments {
    let gsm: Option<Vec<u32>> = text.chars().map(gsm_units).collect();
    match gsm {
        Some(units) => Segments { encoding: "GSM-7", count: fill(&units, 160, 153) },
        None => {
            let units: Vec<u32> = text.chars().map(|c| if c.len_utf16() == 2 { 2 } else { 1 }).collect();
            Segments { encoding: "UCS-2", count: fill(&units, 70, 67) }
        }
    }
}

fn gsm_units(c: char) -> Option<u32> {
    if c.is_ascii_alphanumeric() || GSM.contains(c) { Some(1) } else { GSM_ESCAPED.contains(c).then_some(2) }
}

/// What does not fit alone goes into several, each with a header; no character is torn in two.
fn fill(units: &[u32], alone: u32, each: u32) -> u32 {
    if units.iter().sum::<u32>() <= alone {
        return 1;
    }
    let (mut count, mut used) = (1, 0);
    for unit in units {
        if used + unit > each {
            (count, used) = (count + 1, 0);
        }
        used += unit;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_as_networks_count_them() {
        for (text, encoding, count) in [
            (String::new(), "GSM-7", 1),
            ("x".repeat(160), "GSM-7", 1),
            ("x".repeat(161), "GSM-7", 2),
            ("x".repeat(306), "GSM-7", 2),
            ("x".repeat(307), "GSM-7", 3),
            ("€".repeat(80), "GSM-7", 1),
            // 153 is odd: the escape and what it escapes stay together, so 76 fit into each.
            ("€".repeat(152), "GSM-7", 2),
            ("€".repeat(153), "GSM-7", 3),
            ("é@Δ[".repeat(32), "GSM-7", 1),
            ("é@Δ[".repeat(33), "GSM-7", 2),
            ("ç".repeat(70), "UCS-2", 1),
            ("x".repeat(70) + "ç", "UCS-2", 2),
            ("😀".repeat(35), "UCS-2", 1),
            ("😀".repeat(36), "UCS-2", 2),
            // 67 is odd, too.
            ("😀".repeat(66), "UCS-2", 2),
            ("😀".repeat(67), "UCS-2", 3),
            ("’".to_owned(), "UCS-2", 1),
            ("`".to_owned(), "UCS-2", 1),
        ] {
            assert_eq!(segments(&text), Segments { encoding, count }, "{text}");
        }
        assert_eq!(GSM.chars().count() + 62, 127, "all of the alphabet but the escape");
    }
}
