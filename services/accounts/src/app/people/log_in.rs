//! Signing in.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Email, Password, Session, TokenText, User};
use leadflow_kernel::SessionId;
use sqlx::PgConnection;

use super::{People, PeopleError, fingerprint};
use crate::{
    app::audit::{self, Change},
    store::{sessions, users},
};

/// The most that is kept of a browser's name.
const USER_AGENT: usize = 300;

/// Somebody who has just signed in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// His session.
    pub session: Session,
    /// What he shows from now on. Not kept.
    pub token: TokenText,
    /// He.
    pub user: User,
}

impl People {
    /// Begins a session. Whether the address is unknown or the password wrong makes no difference, also not in time.
    ///
    /// # Errors
    /// [`PeopleError::WrongCredentials`], [`PeopleError::Throttled`], [`PeopleError::Suspended`],
    /// [`PeopleError::Busy`].
    pub async fn log_in(
        &self,
        email: &str,
        password: Password,
        address: &str,
        user_agent: &str,
    ) -> Result<SignIn, PeopleError> {
        // What cannot be an address is nobody's.
        let email = Email::parse("email", email).map_err(|_| PeopleError::WrongCredentials)?;
        let tried = self.password_tried(&email, address).await?;
        let mut connection = self.pool.acquire().await?;
        let known = users::find_by_email(&mut connection, &email).await?;
        drop(connection);
        let hash = known.as_ref().and_then(|known| known.password_hash.clone());
        let right = self.hasher.verify(password, hash.clone()).await?;
        let user = match known {
            Some(known) if right => known.user,
            _ => return Err(PeopleError::WrongCredentials),
        };
        self.password_was_right(&tried).await?;

        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        // Again under a lock: a password that is changed meanwhile must not leave a session behind.
        let known = users::find_locked(&mut transaction, user.id).await?;
        let user = match known {
            Some(known) if known.password_hash == hash => known.user,
            _ => return Err(PeopleError::WrongCredentials),
        };
        let signed_in = self.begin_session(&mut transaction, user, address, user_agent, now).await?;
        self.commit(transaction, Vec::new()).await?;
        Ok(signed_in)
    }

    /// Begins a session in the open transaction, in which the user was locked or made.
    ///
    /// # Errors
    /// [`PeopleError::Suspended`].
    pub(super) async fn begin_session(
        &self,
        connection: &mut PgConnection,
        user: User,
        address: &str,
        user_agent: &str,
        now: DateTime<Utc>,
    ) -> Result<SignIn, PeopleError> {
        if !user.may_sign_in {
            return Err(PeopleError::Suspended);
        }
        let session = Session {
            id: SessionId::new(),
            created_at: now,
            last_used_at: now,
            expires_at: self.rules.sessions.first_end(now),
            address: address.to_owned(),
            user_agent: user_agent.chars().take(USER_AGENT).collect(),
        };
        let token = super::new_token()?;
        sessions::insert(connection, user.id, &session, fingerprint(token.reveal())).await?;
        let change = Change::new("user.logged_in", user.id)
            .by(audit::actor(&user))
            .to(serde_json::json!({"session": session.id.to_string(), "address": session.address}));
        audit::TRAIL.write(connection, user.place.seller_id(), now, change).await?;
        Ok(SignIn { session, token, user })
    }
}
