//! The words that stop and start a number, and what it answers by itself.

/// What a whole message is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Stop,
    Start,
    Help,
}

impl Keyword {
    /// Only if the message is this one word, however it is written.
    pub(super) fn of(body: &str) -> Option<Self> {
        match body.trim().to_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => Some(Self::Stop),
            "START" | "YES" | "UNSTOP" => Some(Self::Start),
            "HELP" | "INFO" => Some(Self::Help),
            _ => None,
        }
    }

    pub(super) const fn answer(self) -> &'static str {
        match self {
            Self::Stop => {
                "You are unsubscribed and get no more messages from this number. Reply START to get them again."
            }
            Self::Start => "You get messages from this number again. Reply HELP for help, STOP to end them.",
            Self::Help => "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_alone_counts() {
        for (body, keyword) in [
            ("STOP", Some(Keyword::Stop)),
            (" sToP\n", Some(Keyword::Stop)),
            ("quit", Some(Keyword::Stop)),
            ("Unstop", Some(Keyword::Start)),
            ("info", Some(Keyword::Help)),
            ("stop please", None),
            ("", None),
        ] {
            assert_eq!(Keyword::of(body), keyword, "{body}");
        }
    }
}
