//! What registering is for sellers, buyers and administrators alike.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{MailKind, NewUser, Password, User};
use leadflow_kernel::UserId;
use leadflow_messaging::Envelope;
use sqlx::PgConnection;

use super::{People, PeopleError};
use crate::{
    app::{
        Actor,
        audit::{self, Change},
    },
    store::users,
};

/// Somebody who is registered.
#[derive(Debug, Clone)]
pub struct Registered {
    /// He.
    pub user: User,
    /// Of a new seller.
    pub invite_code: Option<String>,
}

/// Somebody who is registered when the transaction commits, together with what is to be told then.
pub(super) struct Added {
    pub(super) registered: Registered,
    pub(super) events: Vec<Envelope>,
}

/// What opens a new account.
#[derive(Clone, Copy)]
pub(super) enum Opens<'a> {
    /// The password with this hash.
    Password(&'a str),
    /// A Google account.
    Google {
        /// Whether its address is known to be its owner's.
        owns_email: bool,
    },
    /// What somebody else gave him who made the account.
    Given {
        /// The hash of a password; without one he chooses one by a link that is mailed to him.
        password: Option<&'a str>,
        /// Who.
        by: Actor,
    },
}

impl Opens<'_> {
    /// Whose doing the account is.
    pub(super) fn by(self, user: &User) -> Actor {
        match self {
            Self::Password(_) | Self::Google { .. } => Some(audit::actor(user)),
            Self::Given { by, .. } => by,
        }
    }
}

impl People {
    /// Stores a new user in the open transaction, with his audit entry and, unless his address is known to be his, a mail
    /// by which it is verified, or a password chosen. `None` when his id or his address is taken.
    pub(super) async fn add_user(
        &self,
        connection: &mut PgConnection,
        new: &NewUser,
        opens: Opens<'_>,
        created_with: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<(User, Option<Envelope>)>, PeopleError> {
        let (password_hash, verified) = match opens {
            Opens::Password(hash) => (Some(hash), false),
            Opens::Google { owns_email } => (None, owns_email),
            Opens::Given { password, .. } => (password, false),
        };
        if !users::insert(connection, new, password_hash, verified, created_with, now).await? {
            return Ok(None);
        }
        let user = super::existing(connection, new.id).await?;
        let change = Change::new("user.registered", user.id).by(opens.by(&user)).to(audit::user(&user));
        audit::TRAIL.write(connection, user.place.seller_id(), now, change).await?;
        let mail = match opens {
            _ if verified => None,
            Opens::Given { password: None, .. } => Some(MailKind::ResetPassword),
            _ => Some(MailKind::VerifyEmail),
        };
        let mail = match mail {
            Some(kind) => Some(self.mail(connection, kind, &user, now).await?),
            None => None,
        };
        Ok(Some((user, mail)))
    }

    /// The user, if the same request was carried out before. The password, if one was given, is part of the request.
    pub(super) async fn registered_before(
        &self,
        id: UserId,
        created_with: [u8; 32],
        password: Option<Password>,
    ) -> Result<Option<User>, PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let known = users::find_created_with(&mut connection, id, created_with).await?;
        // Hashing takes long, and connections are few.
        drop(connection);
        let Some(known) = known else {
            return Ok(None);
        };
        let Some(password) = password else { return Ok(Some(known.user)) };
        let same = self.hasher.verify(password, known.password_hash).await?;
        Ok(same.then_some(known.user))
    }

    /// Why somebody could not be registered who is not there yet: which of the two is taken.
    pub(super) async fn taken(&self, id: UserId) -> PeopleError {
        let known = async { users::find(&mut *self.pool.acquire().await?, id).await }.await;
        match known {
            Ok(Some(_)) => PeopleError::AlreadyExists("user"),
            Ok(None) => PeopleError::EmailInUse,
            Err(error) => error.into(),
        }
    }
}
