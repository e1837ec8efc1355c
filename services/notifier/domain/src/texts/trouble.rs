/// What an error of a provider of text messages (Twilio's numbers) says of the number it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberState {
    /// Nothing: another message may well arrive.
    Fine,
    /// Its owner wants none.
    Stopped,
    /// No text message ever arrives there.
    Dead,
}

/// See [`NumberState`].
#[must_use]
pub const fn number_state(code: u32) -> NumberState {
    match code {
        21610 => NumberState::Stopped,
        21211 | 21214 | 21217 | 21614 | 21635 | 30005 | 30006 => NumberState::Dead,
        _ => NumberState::Fine,
    }
}

/// Whether another attempt at the same message can help. It can when something is wrong with us: the account, its numbers, how it is set up.
/// What is not known may be mended, too.
#[must_use]
pub const fn is_for_good(code: u32) -> bool {
    !matches!(number_state(code), NumberState::Fine)
        // Neither from here to there, nor with these words.
        || matches!(code, 21408 | 21602 | 21605 | 21608 | 21612 | 21617 | 21619 | 30007 | 30410)
}

/// What it means for people; `None` for what is not known here.
#[must_use]
pub const fn trouble_in_words(code: u32) -> Option<&'static str> {
    Some(match code {
        20003 => "the account's credentials are not right",
        20005 => "the account is suspended",
        20429 => "too many requests",
        21211 | 21214 | 21217 => "it is no phone number",
        21408 => "the account may not send to that country",
        21602 | 21619 => "there is no text",
        21605 | 21617 => "the text is too long",
        21603 | 21606 | 21659 | 21660 => "the account may not send from this number",
        21608 => "an account on trial only sends to its owner's numbers",
        21609 => "the address for call-backs cannot be called",
        21610 => "the phone sent STOP: it gets no text messages until it sends START",
        21611 => "too many messages wait at the number they are sent from",
        21612 => "it cannot be reached from our number",
        21614 => "it is no mobile phone",
        21635 | 30006 => "it is a landline, or its carrier takes no text messages",
        30001 => "too many messages were waiting",
        30002 => "the account was suspended",
        30003 => "the phone is switched off or out of reach",
        30004 => "the phone or its carrier blocks text messages",
        30005 => "there is no such phone",
        30007 => "a carrier took it for spam",
        30008 => "its carrier does not say why",
        30009 => "a segment was lost",
        30032 | 30034 => "the number it is sent from is not registered",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_for_good_and_our_own_troubles_do_not() {
        for code in 20_000..31_000 {
            let state = number_state(code);
            if state != NumberState::Fine {
                assert!(is_for_good(code) && trouble_in_words(code).is_some(), "{code}");
            }
        }
        assert_eq!(number_state(21610), NumberState::Stopped);
        for ours in [0, 20003, 20005, 20404, 20429, 21603, 21606, 21609, 21611, 21660, 21703] {
            assert!(!is_for_good(ours), "{ours}");
        }
        for off in [30003, 30008] {
            assert_eq!(number_state(off), NumberState::Fine, "it may be on tomorrow");
        }
    }
}
