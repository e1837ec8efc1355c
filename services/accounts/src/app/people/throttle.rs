//! How often passwords may be tried and mails be asked for.

use chrono::TimeDelta;
use leadflow_accounts_domain::{AllowanceKind, Email};
use leadflow_kernel::{SellerId, UserId};

use super::{People, PeopleError, fingerprint, hex};
use crate::store::allowances;

/// In which passwords are counted.
const PASSWORDS: TimeDelta = TimeDelta::minutes(15);
/// In which mails are counted.
const MAILS: TimeDelta = TimeDelta::hours(1);
/// Mails of all kinds to one user in that time.
const MAILS_TO_ONE: u32 = 5;
/// Invitations of one tenant in that time.
const INVITATIONS: u32 = 60;
/// As many times as much from one address for all e-mail addresses, as its people are many.
const FROM_ONE_ADDRESS: u32 = 5;
/// As many times as much for one e-mail address from everywhere: it bounds a guess from many places, and a
/// stranger who uses it up has needed many places to keep the owner out.
const FOR_ONE_EMAIL: u32 = 10;

impl People {
    /// Counts a password tried for `email` from `address`, and returns the subject to reset when it was right.
    pub(super) async fn password_tried(&self, email: &Email, address: &str) -> Result<String, PeopleError> {
        // E-mail addresses are not kept where nobody looks for them.
        let email = hex(fingerprint(email.key()));
        let both = format!("{email}@{address}");
        let permits = self.rules.passwords_tried;
        let wanted = [
            (both.clone(), permits),
            (format!("address:{address}"), permits.saturating_mul(FROM_ONE_ADDRESS)),
            (format!("email:{email}"), permits.saturating_mul(FOR_ONE_EMAIL)),
        ];
        self.take(AllowanceKind::Password, PASSWORDS, &wanted).await?;
        Ok(both)
    }

    /// Counts a password tried by a user who is signed in.
    pub(super) async fn own_password_tried(&self, user: UserId) -> Result<(), PeopleError> {
        let wanted = [(format!("user:{}", user.uuid()), self.rules.passwords_tried)];
        self.take(AllowanceKind::Password, PASSWORDS, &wanted).await
    }

    /// The password was right: those tried before do not count any more.
    pub(super) async fn password_was_right(&self, subject: &str) -> Result<(), PeopleError> {
        let mut connection = self.pool.acquire().await?;
        Ok(allowances::reset(&mut connection, AllowanceKind::Password, subject).await?)
    }

    /// Counts a mail that is asked for.
    pub(super) async fn mail_wanted(&self, user: UserId) -> Result<(), PeopleError> {
        let wanted = [(format!("user:{}", user.uuid()), MAILS_TO_ONE)];
        self.take(AllowanceKind::Mail, MAILS, &wanted).await
    }

    /// Counts an invitation to somebody who is no user, by a tenant.
    pub(super) async fn invitation_wanted(&self, seller: SellerId, email: &Email) -> Result<(), PeopleError> {
        let wanted = [
            (format!("invited:{}", hex(fingerprint(email.key()))), MAILS_TO_ONE),
            (format!("inviting:{}", seller.uuid()), INVITATIONS),
        ];
        self.take(AllowanceKind::Mail, MAILS, &wanted).await
    }

    async fn take(&self, kind: AllowanceKind, window: TimeDelta, wanted: &[(String, u32)]) -> Result<(), PeopleError> {
        let mut connection = self.pool.acquire().await?;
        let states = allowances::take(&mut connection, kind, window, wanted, self.clock.now()).await?;
        match states.iter().filter(|state| !state.allowed).map(|state| state.reset_seconds).max() {
            Some(seconds) => Err(PeopleError::Throttled { seconds }),
            None => Ok(()),
        }
    }
}
