//! Mails with a link that works once.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{MailKind, User};
use leadflow_kernel::EventId;
use leadflow_messaging::Envelope;
use sqlx::PgConnection;

use super::{People, PeopleError, fingerprint};
use crate::store::tokens;

impl People {
    /// Makes a token in the open transaction, and the event that asks for the mail with it. Earlier mails of the kind
    /// stop working.
    pub(super) async fn mail(
        &self,
        connection: &mut PgConnection,
        kind: MailKind,
        user: &User,
        now: DateTime<Utc>,
    ) -> Result<Envelope, PeopleError> {
        let token = super::new_token()?;
        tokens::replace(connection, kind, user.id, fingerprint(token.reveal()), now).await?;
        let wanted = self
            .sealer
            .mail_wanted(kind, user, &token, now + kind.life())
            .map_err(|error| PeopleError::Internal(error.to_string()))?;
        Ok(Envelope::new(EventId::new(), &wanted, now))
    }
}
