//! PostgreSQL with every service's schema, and NATS with the streams.

use std::collections::BTreeMap;

use leadflow_messaging::{Bus, BusSettings, topology};
use leadflow_platform::settings;
use sqlx::{Connection as _, PgConnection};

use super::{Check, Known, PATIENCE};
use crate::{
    local::environment,
    migrate::{self, Schema},
    serve,
};

const OLDEST: i32 = 150_000;

pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    databases(known, checks).await;
    bus(known, checks).await;
}

/// Each database once, then the schemas in those that can be reached.
async fn databases(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let schemas = migrate::schemas(&mut env);
    if let Err(error) = env.finish() {
        checks.push(Check::bad("PostgreSQL", error.to_string(), "make up starts one"));
        return;
    }
    let mut by_url: BTreeMap<&str, Vec<&Schema>> = BTreeMap::new();
    for schema in &schemas {
        by_url.entry(&schema.database.url).or_default().push(schema);
    }
    for (url, schemas) in by_url {
        let setting = setting_of(known, &schemas);
        let version = tokio::time::timeout(PATIENCE, postgres_version(url)).await;
        match version.map_err(|_| "it does not answer".to_owned()).and_then(|found| found.map_err(|e| e.to_string())) {
            Ok(number) => {
                let version = format!("version {}.{}", number / 10_000, number % 10_000);
                checks.push(if number >= OLDEST {
                    Check::good("PostgreSQL", format!("reachable, {version}"))
                } else {
                    Check::bad("PostgreSQL", format!("{version} is too old"), "use 15 or newer")
                });
            }
            Err(why) => {
                let mend = if known.own.contains_key(&setting) {
                    format!("start that server, or set {setting} right")
                } else {
                    format!("make up starts it (or set {setting} to one of your own)")
                };
                checks.push(Check::bad("PostgreSQL", format!("cannot be reached ({setting}): {why}"), mend));
                continue;
            }
        }
        for schema in schemas {
            checks.push(schema_check(schema).await);
        }
    }
    if let Some(notifier) = schemas.iter().find(|schema| schema.name == leadflow_notifier::SCHEMA) {
        checks.extend(secrets(known, notifier).await);
    }
}

/// The setting that these schemas' URL comes from.
fn setting_of(known: &Known, schemas: &[&Schema]) -> String {
    schemas
        .first()
        .map(|schema| format!("{}_DATABASE_URL", schema.name.to_uppercase()))
        .filter(|own| known.merged.contains_key(own))
        .unwrap_or_else(|| "DATABASE_URL".to_owned())
}

async fn schema_check(schema: &Schema) -> Check {
    let what = format!("schema {}", schema.name);
    match tokio::time::timeout(PATIENCE, migrate::missing(schema)).await {
        Ok(Ok(Some(0))) => match tokio::time::timeout(PATIENCE, migrate::missing_rights(schema)).await {
            Ok(Ok(statements)) if !statements.is_empty() => Check::bad(
                what,
                format!(
                    "is up to date, but its login may not take the roles {} and {}",
                    schema.role, schema.tenant_role
                ),
                format!("as an administrator of the server: {}", statements.join(" ")),
            ),
            _ => match tokio::time::timeout(PATIENCE, migrate::missing_months(schema)).await {
                Ok(Ok(Some(true))) => Check::bad(
                    what,
                    "has no partition for this month or the next",
                    "leadflow migrate makes it (its service does so twice a day: see what it logs)",
                ),
                _ => Check::good(what, "up to date"),
            },
        },
        Ok(Ok(Some(missing))) => {
            let found = if missing == 1 {
                "one migration is missing".to_owned()
            } else {
                format!("{missing} migrations are missing")
            };
            Check::bad(what, found, "make up (or leadflow migrate)")
        }
        Ok(Ok(None)) => {
            Check::bad(what, "was made by another version of this program", "use that version, or a fresh database")
        }
        Ok(Err(error)) => Check::bad(what, format!("{error:#}"), "make up, or set DATABASE_URL right"),
        Err(_) => Check::bad(what, "the database does not answer", "see what it is busy with, or start it again"),
    }
}

/// Whether the secrets that are stored were encrypted with a key that is set.
async fn secrets(known: &Known, notifier: &Schema) -> Option<Check> {
    let what = "SECRETS_KEY";
    let set = known.merged.get(what)?;
    let keys = match leadflow_notifier::secrets::SecretKeys::parse(set) {
        Ok(keys) => keys,
        Err(error) => {
            return Some(Check::bad(what, error.to_string(), "set it right: openssl rand -base64 32 makes one"));
        }
    };
    // A schema that is not there, or a database that is away, has been told already.
    let used = tokio::time::timeout(PATIENCE, keys_in_use(&notifier.database.url)).await.ok()?.ok()?;
    let unknown: Vec<_> = used.iter().filter(|(id, _)| !keys.knows(id)).collect();
    let older: i64 = used.iter().filter(|(id, _)| keys.knows(id) && id != keys.first()).map(|(_, count)| count).sum();
    Some(if unknown.is_empty() {
        let found = "opens every stored secret";
        Check::good(
            what,
            if older == 0 {
                found.to_owned()
            } else {
                format!("{found}; {older} of them only with a key that is not the first: leadflow secrets rotate")
            },
        )
    } else {
        let secrets: i64 = unknown.iter().map(|(_, count)| count).sum();
        let ids: Vec<_> = unknown.iter().map(|(id, _)| id.as_str()).collect();
        Check::bad(
            what,
            format!(
                "{secrets} webhook secrets were encrypted with another key ({}), so they cannot be signed with",
                ids.join(", ")
            ),
            "set SECRETS_KEY to the key they were encrypted with, after the new one and a comma if there is a new one",
        )
    })
}

async fn keys_in_use(url: &str) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let used = sqlx::query_as(
        "SELECT key_id, count(*) FROM ( \
           SELECT secret_key_id AS key_id FROM notifier.endpoints WHERE deleted_at IS NULL \
           UNION ALL SELECT sealed_format_key_id FROM notifier.endpoints WHERE sealed_format_key_id IS NOT NULL \
           UNION ALL SELECT old_secret_key_id FROM notifier.endpoints WHERE old_secret_key_id IS NOT NULL) AS stored \
         GROUP BY 1",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(used)
}

async fn postgres_version(url: &str) -> Result<i32, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let version =
        sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(version)
}

/// NATS answers, is new enough, has the streams and consumers that the program needs, and stores.
async fn bus(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let url = settings::nats_url(&mut env);
    let wanted = serve::topology_settings(&mut env);
    let settings = BusSettings { url, source: "doctor".to_owned(), connect_within: PATIENCE / 5 };
    let bus = match Bus::connect(&settings).await {
        Ok(bus) => bus,
        Err(error) => {
            let mend = if known.own.contains_key("NATS_URL") {
                "start that server, or set NATS_URL right"
            } else {
                "make up starts it (or set NATS_URL to one of your own)"
            };
            checks.push(Check::bad("NATS", error.to_string(), mend));
            return;
        }
    };
    checks.push(Check::good("NATS", format!("reachable, version {}", bus.server_version())));
    let what = "streams and consumers";
    match topology::differences(&bus, wanted).await {
        Ok(differences) if differences.is_empty() => {
            checks.push(Check::good(what, "as declared"));
            checks.push(stores(known, &bus).await);
        }
        Ok(differences) => {
            let mend = "start any service again (make down, then make up): it creates what is missing";
            checks.extend(differences.into_iter().map(|difference| Check::bad(what, difference, mend)));
        }
        Err(error) => checks.push(Check::bad(what, error.to_string(), "switch JetStream on in nats-server")),
    }
    bus.close().await;
}

async fn stores(known: &Known, bus: &Bus) -> Check {
    let what = "storing";
    let mend = if known.own.contains_key("NATS_URL") {
        "see that its disk has space, then start nats-server again"
    } else {
        "see that the disk has space, then make up, which starts nats-server again"
    };
    let refusing = bus.refusing_streams().await;
    if refusing.is_empty() {
        return Check::good(what, "every stream takes messages");
    }
    let list: Vec<_> = refusing.iter().map(|(stream, why)| format!("stream {stream}: {why}")).collect();
    Check::bad(what, list.join(", "), mend)
}
