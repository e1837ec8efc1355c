//! What a buyer wants to be told, and how.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::Topic;

const MINUTES_A_DAY: u32 = 24 * 60;

/// A buyer's preferences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// Mails about leads that he bought.
    pub email_on_lead: bool,
    /// Text messages about them.
    pub sms_on_lead: bool,
    /// Mails about a wallet that runs low.
    pub email_on_low_balance: bool,
    /// Text messages about it.
    pub sms_on_low_balance: bool,
    /// Mails about what became of returns.
    pub email_on_return: bool,
    /// A mail a day with what happened.
    pub daily_summary: bool,
    /// Since when he agrees to text messages; `None`: he does not.
    pub sms_agreed_at: Option<DateTime<Utc>>,
    /// When his phone shall be silent.
    pub quiet: Quiet,
    /// Whose midnight counts; `None`: his seller's.
    pub time_zone: Option<Tz>,
    /// Counts changes; 0: never set.
    pub version: u64,
}

/// Hours in which no text message is sent but urgent ones: minutes after midnight. The same twice: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quiet {
    /// The first minute.
    pub from: u32,
    /// The first minute after it, on the next day if it is not later.
    pub until: u32,
}

/// What shall be otherwise; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// See [`Preferences`].
    pub email_on_lead: Option<bool>,
    /// See [`Preferences`].
    pub sms_on_lead: Option<bool>,
    /// See [`Preferences`].
    pub email_on_low_balance: Option<bool>,
    /// See [`Preferences`].
    pub sms_on_low_balance: Option<bool>,
    /// See [`Preferences`].
    pub email_on_return: Option<bool>,
    /// See [`Preferences`].
    pub daily_summary: Option<bool>,
    /// Minutes after midnight.
    pub quiet_from: Option<u32>,
    /// Minutes after midnight.
    pub quiet_until: Option<u32>,
    /// IANA name; empty: the seller's.
    pub time_zone: Option<String>,
}

/// Why preferences are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesError {
    /// Not a minute of a day.
    #[error("{field} must be 0 to 1439, in minutes after midnight")]
    Minute {
        /// Which.
        field: &'static str,
    },
    /// No such time zone.
    #[error("time_zone must be an IANA name such as America/New_York, or empty for the seller's")]
    TimeZone,
    /// Text messages without a phone.
    #[error("{field} needs a phone number")]
    NoPhone {
        /// What was switched on.
        field: &'static str,
    },
}

impl Default for Preferences {
    /// Of whoever said nothing: mails that matter, and no text messages.
    fn default() -> Self {
        Self {
            email_on_lead: true,
            sms_on_lead: false,
            email_on_low_balance: true,
            sms_on_low_balance: false,
            email_on_return: true,
            daily_summary: false,
            sms_agreed_at: None,
            quiet: Quiet::default(),
            time_zone: None,
            version: 0,
        }
    }
}

impl Preferences {
    /// Whether he wants text messages at all.
    #[must_use]
    pub const fn wants_sms(&self) -> bool {
        self.sms_on_lead || self.sms_on_low_balance
    }

    /// Whether he wants mails of this topic.
    #[must_use]
    pub const fn wants_mail(&self, topic: Topic) -> bool {
        match topic {
            Topic::LeadAssigned => self.email_on_lead,
            Topic::LowBalance => self.email_on_low_balance,
            Topic::ReturnDecided => self.email_on_return,
            Topic::DailySummary => self.daily_summary,
        }
    }

    /// The preferences after this change at `now`, of somebody who `has_phone` or not; `None` when they are so already.
    ///
    /// # Errors
    /// [`PreferencesError`].
    pub fn changed(
        &self,
        change: PreferencesChange,
        has_phone: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, PreferencesError> {
        let minute = |field, given: Option<u32>, known| match given.unwrap_or(known) {
            minute if minute < MINUTES_A_DAY => Ok(minute),
            _ => Err(PreferencesError::Minute { field }),
        };
        // Whoever lost his number keeps what he wanted for when he has one again.
        let sms = |field, given: Option<bool>, known: bool| match given {
            Some(true) if !known && !has_phone => Err(PreferencesError::NoPhone { field }),
            given => Ok(given.unwrap_or(known)),
        };
        let mut next = Self {
            email_on_lead: change.email_on_lead.unwrap_or(self.email_on_lead),
            sms_on_lead: sms("sms_on_lead", change.sms_on_lead, self.sms_on_lead)?,
            email_on_low_balance: change.email_on_low_balance.unwrap_or(self.email_on_low_balance),
            sms_on_low_balance: sms("sms_on_low_balance", change.sms_on_low_balance, self.sms_on_low_balance)?,
            email_on_return: change.email_on_return.unwrap_or(self.email_on_return),
            daily_summary: change.daily_summary.unwrap_or(self.daily_summary),
            quiet: Quiet {
                from: minute("quiet_from", change.quiet_from, self.quiet.from)?,
                until: minute("quiet_until", change.quiet_until, self.quiet.until)?,
            },
            time_zone: match change.time_zone.as_deref() {
                None => self.time_zone,
                Some("") => None,
                Some(name) => Some(name.parse().map_err(|_| PreferencesError::TimeZone)?),
            },
            ..self.clone()
        };
        next.sms_agreed_at = next.wants_sms().then(|| self.sms_agreed_at.unwrap_or(now));
        if next == *self {
            return Ok(None);
        }
        next.version += 1;
        Ok(Some(next))
    }
}

impl PreferencesChange {
    /// No mails of this topic any more.
    #[must_use]
    pub fn without(topic: Topic) -> Self {
        let mut change = Self::default();
        let field = match topic {
            Topic::LeadAssigned => &mut change.email_on_lead,
            Topic::LowBalance => &mut change.email_on_low_balance,
            Topic::ReturnDecided => &mut change.email_on_return,
            Topic::DailySummary => &mut change.daily_summary,
        };
        *field = Some(false);
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn what_is_not_given_stays_and_what_changes_nothing_is_no_change() {
        let before = Preferences { daily_summary: true, version: 3, ..Preferences::default() };
        assert_eq!(before.changed(PreferencesChange::default(), false, at(0)), Ok(None));
        let same = PreferencesChange { daily_summary: Some(true), email_on_lead: Some(true), ..Default::default() };
        assert_eq!(before.changed(same, false, at(0)), Ok(None));
        let change = PreferencesChange {
            email_on_return: Some(false),
            quiet_from: Some(1_320),
            quiet_until: Some(420),
            time_zone: Some("America/Los_Angeles".to_owned()),
            ..Default::default()
        };
        let after = before.changed(change, false, at(0)).unwrap().unwrap();
        let wanted = Preferences {
            email_on_return: false,
            quiet: Quiet { from: 1_320, until: 420 },
            time_zone: Some(Tz::America__Los_Angeles),
            version: 4,
            ..before
        };
        assert_eq!(after, wanted);
        let back = PreferencesChange { time_zone: Some(String::new()), ..Default::default() };
        assert_eq!(after.changed(back, false, at(0)).unwrap().unwrap().time_zone, None);
    }

    #[test]
    fn agreeing_to_text_messages_is_dated_and_needs_a_phone() {
        let on = |lead, balance| PreferencesChange {
            sms_on_lead: lead,
            sms_on_low_balance: balance,
            ..PreferencesChange::default()
        };
        let before = Preferences::default();
        let refused = |field| Err(PreferencesError::NoPhone { field });
        assert_eq!(before.changed(on(Some(true), None), false, at(0)), refused("sms_on_lead"));
        assert_eq!(before.changed(on(None, Some(true)), false, at(0)), refused("sms_on_low_balance"));
        let first = before.changed(on(Some(true), None), true, at(1)).unwrap().unwrap();
        assert_eq!(first.sms_agreed_at, Some(at(1)));
        // He still agrees; and without his number he may change other things, and switch off.
        let both = first.changed(on(None, Some(true)), true, at(2)).unwrap().unwrap();
        assert_eq!(both.sms_agreed_at, Some(at(1)));
        let one = both.changed(on(Some(false), Some(true)), false, at(3)).unwrap().unwrap();
        assert_eq!((one.sms_agreed_at, one.sms_on_low_balance), (Some(at(1)), true));
        let none = one.changed(on(None, Some(false)), false, at(4)).unwrap().unwrap();
        assert_eq!((none.sms_agreed_at, none.wants_sms()), (None, false));
        assert_eq!(none.changed(on(Some(true), None), true, at(5)).unwrap().unwrap().sms_agreed_at, Some(at(5)));
    }

    #[test]
    fn minutes_are_of_a_day_and_time_zones_are_known() {
        let before = Preferences::default();
        let refusal = |change| before.changed(change, true, at(0)).unwrap_err();
        let late = PreferencesChange { quiet_from: Some(1_440), ..Default::default() };
        assert_eq!(refusal(late), PreferencesError::Minute { field: "quiet_from" });
        let late = PreferencesChange { quiet_until: Some(u32::MAX), ..Default::default() };
        assert_eq!(refusal(late), PreferencesError::Minute { field: "quiet_until" });
        for wrong in ["Mars", "america/new_york", " ", "+05:00"] {
            let change = PreferencesChange { time_zone: Some(wrong.to_owned()), ..Default::default() };
            assert_eq!(refusal(change), PreferencesError::TimeZone, "{wrong:?}");
        }
        let last = PreferencesChange { quiet_until: Some(1_439), ..Default::default() };
        assert_eq!(before.changed(last, true, at(0)).unwrap().unwrap().quiet.until, 1_439);
    }

    #[test]
    fn unsubscribing_ends_one_topic_and_no_other() {
        let all = Preferences { daily_summary: true, ..Preferences::default() };
        for topic in Topic::ALL {
            let after = all.changed(PreferencesChange::without(topic), false, at(0)).unwrap().unwrap();
            for other in Topic::ALL {
                assert_eq!(after.wants_mail(other), other != topic, "{topic:?} {other:?}");
            }
            assert_eq!(after.changed(PreferencesChange::without(topic), false, at(0)), Ok(None));
        }
    }
}
