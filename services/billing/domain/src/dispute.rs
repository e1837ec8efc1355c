//! Disputes of charges.

/// Where a dispute stands. A decision is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeState {
    /// The provider has the money and waits for a decision.
    Open,
    /// The money is here again.
    Won,
    /// The money is gone.
    Lost,
}

impl DisputeState {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Won, Self::Lost].into_iter().find(|state| state.name() == name)
    }
}

/// What has to be booked for news of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeStep {
    /// Take the money from the wallet.
    Open,
    /// Take it, and it is gone at once: the news of its beginning is late or lost.
    OpenAndLose,
    /// Give it back to the wallet.
    Win,
    /// It is gone.
    Lose,
    /// Won before it was heard of: nothing is taken, and news of its beginning will find it decided.
    Forget,
}

/// What news of `told` means for a dispute that is known as `known`. `None`: nothing.
#[must_use]
pub const fn dispute_step(known: Option<DisputeState>, told: DisputeState) -> Option<DisputeStep> {
    match (known, told) {
        (None, DisputeState::Open) => Some(DisputeStep::Open),
        (None, DisputeState::Lost) => Some(DisputeStep::OpenAndLose),
        (None, DisputeState::Won) => Some(DisputeStep::Forget),
        (Some(DisputeState::Open), DisputeState::Won) => Some(DisputeStep::Win),
        (Some(DisputeState::Open), DisputeState::Lost) => Some(DisputeStep::Lose),
        _ => None,
    }
}
