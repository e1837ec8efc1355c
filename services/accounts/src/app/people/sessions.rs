//! A user's sessions, and their end.

use leadflow_accounts_domain::Session;
use leadflow_kernel::{SessionId, UserId};
use serde_json::json;

use super::{People, PeopleError, existing, fingerprint};
use crate::{
    app::audit::{self, Change},
    store::sessions,
};

impl People {
    /// Ends the session with this token; one that has ended already is no error.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn log_out(&self, token: &str) -> Result<(), PeopleError> {
        let mut transaction = self.pool.begin().await?;
        let Some((user, session)) = sessions::end_by_token(&mut transaction, fingerprint(token)).await? else {
            return Ok(());
        };
        let user = existing(&mut transaction, user).await?;
        let change = Change::new("user.logged_out", user.id)
            .by(audit::actor(&user))
            .from(json!({"session": session.to_string()}));
        audit::TRAIL.write(&mut transaction, user.place.seller_id(), self.clock.now(), change).await?;
        self.commit(transaction, Vec::new()).await
    }

    /// The user's sessions that are good, newest first.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`].
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>, PeopleError> {
        let mut connection = self.pool.acquire().await?;
        existing(&mut connection, user).await?;
        Ok(sessions::of_user(&mut connection, user, self.clock.now()).await?)
    }

    /// Those of `sessions` that are still good.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn good_sessions(&self, sessions: &[SessionId]) -> Result<Vec<SessionId>, PeopleError> {
        let mut connection = self.pool.acquire().await?;
        Ok(sessions::good(&mut connection, sessions, self.clock.now()).await?)
    }

    /// Ends one session of the user, or all but `keep`; how many they were. They are refused from now on.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] for a user or a session of his that is not there.
    pub async fn revoke_sessions(
        &self,
        user: UserId,
        only: Option<SessionId>,
        keep: Option<SessionId>,
    ) -> Result<u32, PeopleError> {
        let mut transaction = self.pool.begin().await?;
        let user = existing(&mut transaction, user).await?;
        let ended = sessions::end_of_user(&mut transaction, user.id, only, keep).await?;
        if ended.is_empty() {
            return if only.is_some() { Err(PeopleError::NotFound("session")) } else { Ok(0) };
        }
        let ids: Vec<String> = ended.iter().map(ToString::to_string).collect();
        let change =
            Change::new("user.sessions_revoked", user.id).by(audit::actor(&user)).from(json!({ "sessions": ids }));
        audit::TRAIL.write(&mut transaction, user.place.seller_id(), self.clock.now(), change).await?;
        self.commit(transaction, Vec::new()).await?;
        Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
    }
}
