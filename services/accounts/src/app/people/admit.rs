//! What every request of a front end passes first.

use chrono::TimeDelta;
use leadflow_accounts_domain::{Allowance, AllowanceKind, AllowanceState, Session, User};

use super::{People, PeopleError, fingerprint};
use crate::store::sessions;

/// A request at the door.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Whose session was shown, if it is good.
    pub session: Option<(Session, User)>,
    /// Whether it may pass, and what is left.
    pub allowance: AllowanceState,
}

impl People {
    /// Takes a permit, from the allowance of the session's user or else from that of `address`.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn admit(&self, token: &str, address: &str, kind: AllowanceKind) -> Result<Admission, PeopleError> {
        let permits = match kind {
            AllowanceKind::Read => self.rules.reads,
            AllowanceKind::Write => self.rules.writes,
            AllowanceKind::ProviderEvent => self.rules.provider_events,
            AllowanceKind::SignIn | AllowanceKind::Password | AllowanceKind::Mail => self.rules.sign_ins,
        };
        let allowance = Allowance::new(permits, TimeDelta::minutes(1));
        let shown = (!token.is_empty()).then(|| fingerprint(token));
        let now = self.clock.now();
        let mut connection = self.pool.acquire().await?;
        let admitted = sessions::admit(&mut connection, shown, address, kind, allowance, now).await?;
        let session = match admitted.session {
            Some((session, user)) => match self.rules.sessions.used(&session, now) {
                // One that was ended in this very moment is not good any more.
                Some(next) => sessions::note_use(&mut connection, &next).await?.then_some((next, user)),
                None => Some((session, user)),
            },
            None => None,
        };
        Ok(Admission { session, allowance: admitted.allowance })
    }
}
