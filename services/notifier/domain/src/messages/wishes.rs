use super::{Channel, MessageKind};

/// What a buyer wants to be told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// A mail for each lead.
    pub email_on_lead: bool,
    /// A text message for each lead.
    pub sms_on_lead: bool,
    /// A mail when money runs low.
    pub email_on_low_balance: bool,
    /// A text message when money runs low, or cannot be had.
    pub sms_on_low_balance: bool,
    /// A mail when a return is decided.
    pub email_on_return: bool,
    /// A mail every morning.
    pub daily_summary: bool,
}

impl Default for Wishes {
    /// Of somebody who never said: mails as things happen, no text messages, no summary.
    fn default() -> Self {
        Self {
            email_on_lead: true,
            sms_on_lead: false,
            email_on_low_balance: true,
            sms_on_low_balance: false,
            email_on_return: true,
            daily_summary: false,
        }
    }
}

impl Wishes {
    /// Whether he wants to hear of that in this way. Mails about access and about what has stopped working are not a matter of taste.
    #[must_use]
    pub const fn want(&self, channel: Channel, kind: MessageKind) -> bool {
        use MessageKind as K;
        match (channel, kind) {
            (Channel::Email, K::LeadAssigned) => self.email_on_lead,
            (Channel::Email, K::LowBalance) => self.email_on_low_balance,
            (Channel::Email, K::ReturnDecided) => self.email_on_return,
            (Channel::Email, K::DailySummary) => self.daily_summary,
            (Channel::Email, _) => true,
            (Channel::Sms, K::LeadAssigned) => self.sms_on_lead,
            (Channel::Sms, K::LowBalance | K::RechargeFailed | K::RechargeTurnedOff | K::PaymentActionNeeded) => {
                self.sms_on_low_balance
            }
            (Channel::Sms, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_text_messages_who_did_not_ask_for_them() {
        for kind in MessageKind::ALL {
            assert!(!Wishes::default().want(Channel::Sms, kind), "{kind:?}");
        }
        let all = Wishes { sms_on_lead: true, sms_on_low_balance: true, ..Wishes::default() };
        let sent: Vec<_> = MessageKind::ALL.into_iter().filter(|kind| all.want(Channel::Sms, *kind)).collect();
        use MessageKind as K;
        assert_eq!(
            sent,
            [K::LeadAssigned, K::LowBalance, K::RechargeFailed, K::RechargeTurnedOff, K::PaymentActionNeeded]
        );
    }

    #[test]
    fn what_can_be_chosen_is_off_when_it_is_not_wanted() {
        let none =
            Wishes { email_on_lead: false, email_on_low_balance: false, email_on_return: false, ..Wishes::default() };
        use MessageKind as K;
        let off = [K::LeadAssigned, K::LowBalance, K::ReturnDecided, K::DailySummary];
        for kind in K::ALL {
            assert_eq!(none.want(Channel::Email, kind), !off.contains(&kind), "{kind:?}");
        }
    }
}
