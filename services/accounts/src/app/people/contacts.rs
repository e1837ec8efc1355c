//! How buyers are reached: told with every change of who signs in for them.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Place, User};
use leadflow_kernel::EventId;
use leadflow_messaging::Envelope;
use sqlx::PgConnection;

use super::PeopleError;
use crate::{outbound::events, store::contacts};

/// The event of a change of this user in the open transaction, if he signs in for a buyer who is reached otherwise now.
pub(super) async fn changed(
    connection: &mut PgConnection,
    user: &User,
    now: DateTime<Utc>,
) -> Result<Option<Envelope>, PeopleError> {
    let Place::Buyer(seller_id, buyer_id) = user.place else { return Ok(None) };
    let contact = contacts::renew(connection, seller_id, buyer_id).await?;
    Ok(contact.map(|contact| Envelope::new(EventId::new(), &events::buyer_contact(&contact), now)))
}
