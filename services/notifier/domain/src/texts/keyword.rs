/// A word that phones send to whoever sends them text messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more of them.
    Stop,
    /// Some again.
    Start,
    /// Who is it?
    Help,
}

impl Keyword {
    /// The word that `body` is, however it is written: "Stop!", " opt-out ". A sentence with the word in it is none, since it may say the
    /// contrary.
    #[must_use]
    pub fn of(body: &str) -> Option<Self> {
        let word: String = body.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).take(16).collect();
        match word.as_str() {
            "STOP" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "STOPALL" | "REVOKE" | "OPTOUT" => Some(Self::Stop),
            "START" | "YES" | "UNSTOP" => Some(Self::Start),
            "HELP" | "INFO" => Some(Self::Help),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_however_they_are_written() {
        for body in [
            "STOP",
            "stop",
            " Stop. ",
            "\"STOP\"",
            "Stop all",
            "opt-out",
            "OPT OUT",
            "Unsubscribe",
            "cancel",
            "end",
            "Quit!",
            "REVOKE\n",
        ] {
            assert_eq!(Keyword::of(body), Some(Keyword::Stop), "{body}");
        }
        for body in ["START", "yes", "Unstop"] {
            assert_eq!(Keyword::of(body), Some(Keyword::Start), "{body}");
        }
        assert_eq!((Keyword::of("help?"), Keyword::of("Info")), (Some(Keyword::Help), Some(Keyword::Help)));
        for body in ["", "please do not stop", "stop it", "yes please", "STOPSTOPSTOPSTOPSTOPSTOP", "☎"] {
            assert_eq!(Keyword::of(body), None, "{body}");
        }
    }
}
