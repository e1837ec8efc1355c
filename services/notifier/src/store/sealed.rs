//! What table `notifier.endpoints` has encrypted, of all tenants: for the replacement of the key.

use leadflow_kernel::EndpointId;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::secrets::{Part, Sealed};

/// Every encrypted value as a row.
macro_rules! values {
    () => {
        "(SELECT endpoint_id, 'format' AS part, sealed_format_key_id AS key_id, sealed_format AS sealed \
            FROM notifier.endpoints WHERE sealed_format IS NOT NULL \
          UNION ALL SELECT endpoint_id, 'old_secret', old_secret_key_id, old_secret \
            FROM notifier.endpoints WHERE old_secret IS NOT NULL \
          UNION ALL SELECT endpoint_id, 'secret', secret_key_id, secret \
            FROM notifier.endpoints WHERE deleted_at IS NULL) AS stored"
    };
}

/// How many values are encrypted with which key.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn keys_in_use(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as(concat!("SELECT key_id, count(*) FROM ", values!(), " GROUP BY 1 ORDER BY 1"))
        .fetch_all(connection)
        .await
}

/// A value of an endpoint, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose.
    pub endpoint: EndpointId,
    /// Which.
    pub part: Part,
    /// It.
    pub sealed: Sealed,
}

/// Up to `limit` values that are encrypted with one of these keys, after `after` in the order of endpoints and parts.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn sealed_with(
    connection: &mut PgConnection,
    keys: &[&str],
    after: Option<(EndpointId, Part)>,
    limit: u32,
) -> Result<Vec<Stored>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        "SELECT endpoint_id, part, key_id, sealed FROM ",
        values!(),
        " WHERE key_id = ANY($1) AND ($2::uuid IS NULL OR (endpoint_id, part) > ($2, $3)) ORDER BY endpoint_id, part LIMIT $4"
    ))
    .bind(keys)
    .bind(after.map(|(endpoint, _)| endpoint.uuid()))
    .bind(after.map(|(_, part)| part.name()))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let name: String = row.try_get("part")?;
            Ok(Stored {
                endpoint: EndpointId::from_uuid(row.try_get("endpoint_id")?),
                part: Part::ALL.into_iter().find(|part| part.name() == name).unwrap_or(Part::Secret),
                sealed: Sealed { key_id: row.try_get("key_id")?, bytes: row.try_get("sealed")? },
            })
        })
        .collect()
}

/// A value as it was read, and the same under another key.
#[derive(Debug, Clone)]
pub struct Resealed {
    /// As it was read.
    pub before: Stored,
    /// Under the other key.
    pub after: Sealed,
}

/// Replaces values by the same under another key, those that are still as they were read; how many that were. The others
/// have been set anew by their owners meanwhile.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn reseal(connection: &mut PgConnection, resealed: &[Resealed]) -> Result<u64, sqlx::Error> {
    let mut done = 0;
    for part in Part::ALL {
        let of: Vec<&Resealed> = resealed.iter().filter(|one| one.before.part == part).collect();
        if of.is_empty() {
            continue;
        }
        let statement = match part {
            Part::Format => {
                "UPDATE notifier.endpoints e SET sealed_format = t.sealed, sealed_format_key_id = t.key_id \
                 FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS t(endpoint_id, before, sealed, key_id) \
                 WHERE e.endpoint_id = ANY($1) AND e.endpoint_id = t.endpoint_id AND e.sealed_format = t.before"
            }
            Part::OldSecret => {
                "UPDATE notifier.endpoints e SET old_secret = t.sealed, old_secret_key_id = t.key_id \
                 FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS t(endpoint_id, before, sealed, key_id) \
                 WHERE e.endpoint_id = ANY($1) AND e.endpoint_id = t.endpoint_id AND e.old_secret = t.before"
            }
            Part::Secret => {
                "UPDATE notifier.endpoints e SET secret = t.sealed, secret_key_id = t.key_id \
                 FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS t(endpoint_id, before, sealed, key_id) \
                 WHERE e.endpoint_id = ANY($1) AND e.endpoint_id = t.endpoint_id AND e.secret = t.before"
            }
        };
        let answer = sqlx::query(statement)
            .bind(of.iter().map(|one| one.before.endpoint.uuid()).collect::<Vec<Uuid>>())
            .bind(of.iter().map(|one| one.before.sealed.bytes.as_slice()).collect::<Vec<_>>())
            .bind(of.iter().map(|one| one.after.bytes.as_slice()).collect::<Vec<_>>())
            .bind(of.iter().map(|one| one.after.key_id.as_str()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        done += answer.rows_affected();
    }
    Ok(done)
}
