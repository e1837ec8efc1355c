//! What people do with their accounts, one file per use case.

mod add_buyer;
mod admit;
mod begin_google;
mod change_password;
mod contacts;
mod create_admin;
mod finish_google;
mod invitations;
mod invites;
mod log_in;
mod mails;
mod profile;
mod register;
mod register_buyer;
mod register_seller;
mod reset_password;
mod sessions;
mod team;
mod throttle;
mod verify_email;

use std::sync::Arc;

use chrono::TimeDelta;
use leadflow_accounts_domain::{
    INVITE_BYTES, Invalid, InviteText, Password, PasswordRules, RANDOM_BYTES, Refusal, SessionRules, TeamRefusal,
    TokenText, User,
};
use leadflow_kernel::{Clock, UserId};
use leadflow_messaging::{
    Envelope,
    outbox::{Outbox, Relay},
};
use leadflow_platform::db::{TenantTx, Tenants};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio_util::task::TaskTracker;

pub use self::{
    add_buyer::AddBuyer,
    admit::Admission,
    begin_google::Begun,
    finish_google::{GoogleSignIn, Returned},
    invitations::AcceptInvitation,
    log_in::SignIn,
    register::Registered,
    register_buyer::RegisterBuyer,
    register_seller::RegisterSeller,
};
use super::AppError;
use crate::{
    hashing::{Hasher, HashingError},
    outbound::{
        google::{Google, GoogleError},
        mail::Sealer,
    },
    store::users,
};

/// How people are let in.
#[derive(Debug, Clone)]
pub struct PeopleRules {
    /// Which passwords are refused.
    pub passwords: PasswordRules,
    /// How long a sign-in is good.
    pub sessions: SessionRules,
    /// Requests a minute that read, for each user or address.
    pub reads: u32,
    /// Requests a minute that change something, for each user or address.
    pub writes: u32,
    /// Requests a minute to sign in, register and the like, for each address.
    pub sign_ins: u32,
    /// Webhooks a minute of a payment provider, for each address.
    pub provider_events: u32,
    /// Passwords tried in a quarter of an hour, for each e-mail address from one place.
    pub passwords_tried: u32,
}

impl Default for PeopleRules {
    fn default() -> Self {
        Self {
            passwords: PasswordRules::Strict,
            sessions: SessionRules { idle: TimeDelta::days(7), absolute: TimeDelta::days(30) },
            reads: 600,
            writes: 240,
            sign_ins: 30,
            provider_events: 12_000,
            passwords_tried: 10,
        }
    }
}

/// Carries out what people ask for. Cheap to clone.
#[derive(Clone)]
pub struct People {
    /// For what looks people up in all tenants, or in none: signing in, and one's own account.
    pool: PgPool,
    /// For everything that is about one tenant.
    tenants: Tenants,
    outbox: Outbox,
    relay: Relay,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    sealer: Sealer,
    google: Option<Google>,
    rules: Arc<PeopleRules>,
    background: TaskTracker,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// A field holds something it may not.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is none, or none for this caller.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The id is in use, for another content or by another tenant; which, is not said.
    #[error("a {0} with this id exists with other content")]
    AlreadyExists(&'static str),
    /// Somebody has registered with this address.
    #[error("this e-mail address is in use")]
    EmailInUse,
    /// A rule of teams says no.
    #[error(transparent)]
    Team(#[from] TeamRefusal),
    /// As many invitations are open as may.
    #[error("{max} invitations are open; take one back first")]
    TooManyInvitations {
        /// The most that may be open.
        max: u32,
    },
    /// The record is out of use.
    #[error("the {0} is not in use")]
    NotInUse(&'static str),
    /// The code is unknown, replaced or expired.
    #[error("this invite code does not work")]
    InviteUnknown,
    /// The token is unknown, used, replaced or expired.
    #[error("this link does not work any more; ask for another")]
    TokenUnknown,
    /// No such address, or another password; which, is not said.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Not the password that the user has.
    #[error("the password is wrong")]
    WrongPassword,
    /// The right password, but somebody he belongs to is not in use.
    #[error("this account is suspended")]
    Suspended,
    /// Too many of them.
    #[error("too many attempts; try again in {seconds} seconds")]
    Throttled {
        /// Until one is let through.
        seconds: u32,
    },
    /// Nobody can sign in by Google here.
    #[error("signing in by Google is not set up here")]
    NoGoogle,
    /// The sign-in was not begun by this browser, or is over.
    #[error("this sign-in is over, or was begun in another browser; begin again")]
    StateUnknown,
    /// Somebody changed his mind.
    #[error("Google was not allowed to say who you are")]
    GoogleDenied,
    /// Google sent no code.
    #[error("Google could not sign you in; try again")]
    GoogleFailed,
    /// Nobody has this Google account, and registering was not asked for.
    #[error("nobody is registered with this Google account; register as a seller, or with a seller's invite code")]
    GoogleUnknown,
    /// Somebody is registered with its address.
    #[error(
        "an account with this e-mail address is there already and is not opened by this Google account; sign in with \
         its password, or have a link to set a new one sent to you"
    )]
    GoogleUnlinked,
    /// Google did not tell who it is.
    #[error(transparent)]
    Google(#[from] GoogleError),
    /// As many passwords are being hashed as can be.
    #[error("too many people are signing in; try again in a moment")]
    Busy,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// The operating system gave no random bytes, or a hash could not be made.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<HashingError> for PeopleError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => Self::Busy,
            HashingError::Failed(what) => Self::Internal(what),
        }
    }
}

impl From<AppError> for PeopleError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::NotFound(what) => Self::NotFound(what),
            AppError::AlreadyExists(what) => Self::AlreadyExists(what),
            AppError::Database(error) => Self::Database(error),
            AppError::Refused(Refusal::Archived { what }) => Self::NotInUse(what),
            AppError::Refused(refusal) => Self::Internal(refusal.to_string()),
            AppError::ChangedMeanwhile => Self::Internal(error.to_string()),
            AppError::Randomness(what) => Self::Internal(what),
        }
    }
}

/// What [`People`] works with.
pub struct Tools {
    /// The records.
    pub pool: PgPool,
    /// Publishes the outbox.
    pub relay: Relay,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Seals mails.
    pub sealer: Sealer,
    /// Knows people, if this installation is known to it.
    pub google: Option<Google>,
}

impl People {
    /// Lets people in by `rules`.
    #[must_use]
    pub fn new(tools: Tools, rules: PeopleRules) -> Self {
        let Tools { pool, relay, clock, hasher, sealer, google } = tools;
        let outbox = Outbox::new(crate::SCHEMA);
        let (rules, background) = (Arc::new(rules), TaskTracker::new());
        let tenants = Tenants::new(pool.clone(), crate::TENANT_ROLE);
        Self { pool, tenants, outbox, relay, clock, hasher, sealer, google, rules, background }
    }

    /// Waits for what was begun after its caller had been answered.
    pub async fn drain(&self) {
        self.background.close();
        self.background.wait().await;
    }

    async fn commit(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        events: Vec<Envelope>,
    ) -> Result<(), PeopleError> {
        let pending = self.outbox.append(&mut transaction, events).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(())
    }

    /// [`Self::commit`] of what was done for one tenant.
    async fn commit_tenant(&self, mut tx: TenantTx, events: Vec<Envelope>) -> Result<(), PeopleError> {
        let pending = self.outbox.append(&mut tx, events).await?;
        tx.commit().await?;
        self.relay.send(pending);
        Ok(())
    }

    /// A password that is good enough for somebody who is known by these words, hashed.
    async fn chosen(&self, field: &'static str, password: Password, own: &[&str]) -> Result<String, PeopleError> {
        let password = Password::choose(field, password.reveal().to_owned(), self.rules.passwords, own)?;
        Ok(self.hasher.hash(password).await?)
    }
}

/// What everybody may know of a user, which his password must not be made of.
fn own_words(user: &User) -> [&str; 4] {
    [user.email.as_str(), user.email.local(), user.name.as_str(), &user.company_name]
}

async fn existing(connection: &mut PgConnection, id: UserId) -> Result<User, PeopleError> {
    users::find(connection, id).await?.ok_or(PeopleError::NotFound("user"))
}

fn hex(bytes: [u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is stored of a token.
fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn random<const N: usize>() -> Result<[u8; N], PeopleError> {
    let mut bytes = [0_u8; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| PeopleError::Internal(error.to_string()))?;
    Ok(bytes)
}

fn new_token() -> Result<TokenText, PeopleError> {
    Ok(TokenText::from_random(random::<RANDOM_BYTES>()?))
}

fn new_invite() -> Result<InviteText, PeopleError> {
    Ok(InviteText::from_random(random::<INVITE_BYTES>()?))
}
