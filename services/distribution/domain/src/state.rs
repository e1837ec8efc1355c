//! USPS state codes, and sets of them.

/// The fifty states, D.C., the territories, the freely associated states and the military codes.
const CODES: [&str; 62] = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME",
    "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA",
    "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC", "AS", "GU", "MP", "PR", "VI", "FM",
    "MH", "PW", "AA", "AE", "AP",
];

/// One state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State(u8);

impl State {
    /// Reads a USPS code in any case, with blanks around it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let at = CODES.iter().position(|code| code.eq_ignore_ascii_case(text))?;
        u8::try_from(at).ok().map(Self)
    }

    /// The upper-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        CODES.get(usize::from(self.0)).copied().unwrap_or("")
    }
}

/// A set of states; empty means "no restriction" wherever a subscription has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateSet(u64);

impl StateSet {
    /// Whether no state is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `state` is in it.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & (1 << state.0) != 0
    }

    /// The codes, in the order of the list.
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        CODES.iter().enumerate().filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, code)| *code)
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        Self(states.into_iter().fold(0, |set, state| set | (1 << state.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_in_any_case() {
        assert_eq!(State::parse("ca"), State::parse(" CA "));
        assert!(State::parse("ca").is_some());
        for bad in ["", "C", "ZZ", "California", "CAA", "C A"] {
            assert_eq!(State::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_set_gives_back_what_went_in() {
        for code in CODES {
            let set: StateSet = State::parse(code).into_iter().collect();
            assert_eq!(set.codes().collect::<Vec<_>>(), [code]);
        }
        let all: StateSet = CODES.iter().filter_map(|code| State::parse(code)).collect();
        assert_eq!(all.codes().count(), CODES.len());
    }
}
