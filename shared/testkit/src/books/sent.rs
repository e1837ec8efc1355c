//! What was sent for sellers, beside what it is counted by.

use leadflow_kernel::{DeliveryId, EventId, MessageId};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// Everything that is, or was, or will be sent for a seller who pays for it: its id, what its sender tells of it, and
/// whether it has left. `open`: it may have left, and whoever recorded that may have died before it was on the disk.
const SENT: [(&str, &str); 3] = [
    (
        "webhook",
        "SELECT delivery_id AS id, 'webhook' AS kind, seller_id, buyer_id, 1::bigint AS units, status IN ('DELIVERED', 'REFUSED') AS sent,
             status = 'PENDING' AS open, ended_at FROM notifier.deliveries",
    ),
    (
        "mail",
        "SELECT event_id, 'email', seller_id, NULL::uuid, 1::bigint, status = 'SENT', status = 'WAITING', ended_at
         FROM notifier.mails WHERE seller_id IS NOT NULL",
    ),
    (
        "message",
        "SELECT message_id, lower(channel), seller_id, buyer_id, units::bigint, status IN ('SENT', 'DELIVERED', 'BOUNCED'),
             status = 'WAITING', ended_at
         FROM notifier.messages WHERE seller_id IS NOT NULL",
    ),
];

/// Makes the temporary table `books_sent`, which ends with the transaction. `seen` is what a message is known by where it
/// is counted: a hash that SQL cannot make.
pub(super) async fn load(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "CREATE TEMP TABLE books_sent (what text, id uuid, kind text, seller_id uuid, buyer_id uuid, units bigint, sent boolean,
             open boolean, ended_at timestamptz, seen uuid) ON COMMIT DROP",
    )
    .execute(&mut *connection)
    .await?;
    for (what, sql) in SENT {
        let ids =
            format!("SELECT id FROM ({sql}) AS sent (id, kind, seller_id, buyer_id, units, sent, open, ended_at)");
        let ids: Vec<Uuid> = sqlx::query(sqlx::AssertSqlSafe(ids))
            .fetch_all(&mut *connection)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        let seen: Vec<Uuid> = ids.iter().map(|id| counted_as(what, *id)).collect();
        let insert = format!(
            "INSERT INTO books_sent SELECT $1, s.*, t.seen FROM ({sql}) AS s (id, kind, seller_id, buyer_id, units, sent, open, ended_at)
             JOIN unnest($2::uuid[], $3::uuid[]) AS t (id, seen) ON t.id = s.id"
        );
        sqlx::query(sqlx::AssertSqlSafe(insert)).bind(what).bind(ids).bind(seen).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The message's id as it is told of, hashed as it is counted.
pub(super) fn counted_as(what: &str, id: Uuid) -> Uuid {
    let told = match what {
        "webhook" => DeliveryId::from_uuid(id).to_string(),
        "mail" => EventId::from_uuid(id).to_string(),
        _ => MessageId::from_uuid(id).to_string(),
    };
    EventId::derive(&[b"usage", told.as_bytes()]).uuid()
}
