use std::time::Duration;

const HOUR: u64 = 60 * 60;

/// How a person is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// A mail.
    Email,
    /// A text message.
    Sms,
}

impl Channel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Email, Self::Sms];

    /// As stored and as told.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Sms => "SMS",
        }
    }

    /// From a column.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.code() == code)
    }
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageKind {
    /// To choose a new password.
    ResetPassword,
    /// To show that an address is one's own.
    VerifyEmail,
    /// To become one of a seller's team.
    TeamInvitation,
    /// To become a supplier's user.
    SupplierInvitation,
    /// A lead was bought.
    LeadAssigned,
    /// There is little money left.
    LowBalance,
    /// A card that recharges the wallet was declined.
    RechargeFailed,
    /// Automatic recharging was turned off.
    RechargeTurnedOff,
    /// A charge has to be confirmed.
    PaymentActionNeeded,
    /// The seller decided on a return.
    ReturnDecided,
    /// A webhook was switched off.
    EndpointDisabled,
    /// What happened yesterday.
    DailySummary,
}

impl MessageKind {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::ResetPassword,
        Self::VerifyEmail,
        Self::TeamInvitation,
        Self::SupplierInvitation,
        Self::LeadAssigned,
        Self::LowBalance,
        Self::RechargeFailed,
        Self::RechargeTurnedOff,
        Self::PaymentActionNeeded,
        Self::ReturnDecided,
        Self::EndpointDisabled,
        Self::DailySummary,
    ];

    /// As stored and as told.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ResetPassword => "RESET_PASSWORD",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::TeamInvitation => "TEAM_INVITATION",
            Self::SupplierInvitation => "SUPPLIER_INVITATION",
            Self::LeadAssigned => "LEAD_ASSIGNED",
            Self::LowBalance => "LOW_BALANCE",
            Self::RechargeFailed => "RECHARGE_FAILED",
            Self::RechargeTurnedOff => "RECHARGE_TURNED_OFF",
            Self::PaymentActionNeeded => "PAYMENT_ACTION_NEEDED",
            Self::ReturnDecided => "RETURN_DECIDED",
            Self::EndpointDisabled => "ENDPOINT_DISABLED",
            Self::DailySummary => "DAILY_SUMMARY",
        }
    }

    /// From a column.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether it lets somebody in: its contents are sealed, address included, and its recipient is not written down.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::ResetPassword | Self::VerifyEmail | Self::TeamInvitation | Self::SupplierInvitation)
    }

    /// Whether a text message of it is sent in quiet hours, too: who does not hear of it loses leads.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::LowBalance | Self::RechargeFailed | Self::RechargeTurnedOff | Self::PaymentActionNeeded)
    }

    /// How long it is worth being told, where it does not say so itself.
    #[must_use]
    pub const fn useful_for(self) -> Duration {
        Duration::from_secs(match self {
            Self::LeadAssigned | Self::LowBalance => 24 * HOUR,
            Self::DailySummary => 12 * HOUR,
            _ => 72 * HOUR,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_code() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::of(kind.code()), Some(kind));
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::of(channel.code()), Some(channel));
        }
        assert_eq!(MessageKind::of("POSTCARD"), None);
    }
}
