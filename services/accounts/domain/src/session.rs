//! How long a sign-in is good.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::SessionId;

/// A use is noted at most this often, so that most requests write nothing.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(5);

/// How long sign-ins are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// Without use.
    pub idle: TimeDelta,
    /// In any case.
    pub absolute: TimeDelta,
}

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: SessionId,
    /// When somebody signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to within some minutes.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is used.
    pub expires_at: DateTime<Utc>,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
}

impl SessionRules {
    /// When a session that begins at `now` ends unless it is used.
    #[must_use]
    pub fn first_end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.idle.min(self.absolute)
    }

    /// The session after a use at `now`, if that is worth noting: its life is extended when half of it is over.
    #[must_use]
    pub fn used(self, session: &Session, now: DateTime<Utc>) -> Option<Session> {
        let mut next = session.clone();
        if now - session.last_used_at >= NOTED_EVERY {
            next.last_used_at = now;
        }
        let end = (now + self.idle).min(session.created_at + self.absolute);
        if session.expires_at - now <= self.idle / 2 && end > session.expires_at {
            next.last_used_at = now;
            next.expires_at = end;
        }
        (next != *session).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: SessionRules = SessionRules { idle: TimeDelta::hours(10), absolute: TimeDelta::hours(24) };

    fn begin() -> Session {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Session {
            id: SessionId::new(),
            created_at: now,
            last_used_at: now,
            expires_at: RULES.first_end(now),
            address: String::new(),
            user_agent: String::new(),
        }
    }

    #[test]
    fn use_extends_it_when_half_is_over_and_never_beyond_the_bound() {
        let first = begin();
        let at = |hours| first.created_at + TimeDelta::hours(hours);
        assert_eq!(RULES.used(&first, first.created_at + TimeDelta::minutes(4)), None);
        let noted = RULES.used(&first, at(4)).unwrap();
        assert_eq!((noted.last_used_at, noted.expires_at), (at(4), at(10)));
        let extended = RULES.used(&noted, at(6)).unwrap();
        assert_eq!(extended.expires_at, at(16));
        let last = RULES.used(&extended, at(15)).unwrap();
        assert_eq!(last.expires_at, at(24));
        let end = RULES.used(&last, at(23)).unwrap();
        assert_eq!(end.expires_at, at(24));
    }

    #[test]
    fn a_bound_below_the_idle_time_holds_from_the_start() {
        let rules = SessionRules { idle: TimeDelta::hours(10), absolute: TimeDelta::hours(2) };
        let now = begin().created_at;
        assert_eq!(rules.first_end(now), now + TimeDelta::hours(2));
    }
}
