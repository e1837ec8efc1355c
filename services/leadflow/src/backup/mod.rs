//! `leadflow backup` and `leadflow restore`: databases and streams of one moment, taken while everything runs.
//!
//! What is true of the whole lies in two places: PostgreSQL has what was decided, the streams have what was promised and not done yet. Copies
//! of two different moments would lose a lead or sell it twice, so the moment is made one. An event leaves an outbox for a stream, and only there:
//!
//! 1. The streams are copied; this may take long and disturbs nobody.
//! 2. The outboxes are locked: no event becomes true and none is taken out, for some milliseconds.
//! 3. What the streams have got meanwhile is copied, up to the last message of now.
//! 4. Each database exports a snapshot, and the locks are let go. `pg_dump` then copies that snapshot for as long as it needs.
//!
//! So an event that the snapshot knows is in its outbox, or in the copied streams, or had its effect everywhere and is in the snapshot. And no event is
//! copied whose cause the snapshot does not know, except leads that suppliers posted: those have none. A restored whole does again whatever it cannot
//! know to be done; each effect knows its repeat.

mod database;
mod manifest;
mod programs;
mod streams;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use leadflow_messaging::{Bus, copy, topology};

use crate::{
    migrate::{self, Schema},
    say::say,
};
use database::{Server, Snapshot};
use manifest::{FileEntry, Manifest};

/// Copies everything into `to`, which is there, under this name, only when it is whole.
///
/// # Errors
/// When `to` exists, or something cannot be read or written; the text says what.
pub async fn take(schemas: &[Schema], bus: &Bus, to: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    ensure!(!to.exists(), "{} exists: choose a folder that does not", to.display());
    let part = beside(to);
    ensure!(!part.exists(), "{} is there from a backup that was interrupted: remove it", part.display());
    create_private(&part)?;
    let outcome = take_into(schemas, bus, &part, now).await;
    if outcome.is_err() {
        // The error says more than what is left over.
        let _ = fs::remove_dir_all(&part);
    }
    outcome?;
    fs::rename(&part, to).with_context(|| format!("name the folder {}", to.display()))?;
    say!("{} is whole", to.display());
    Ok(())
}

async fn take_into(schemas: &[Schema], bus: &Bus, folder: &Path, taken_at: DateTime<Utc>) -> anyhow::Result<()> {
    let servers = database::servers(schemas);
    let mut copies = streams::Copies::open(bus, folder).await?;
    let moment = moment(&servers, &mut copies).await;
    copies.close().await;
    let (written, snapshots) = moment?;
    let mut files = Vec::new();
    for name in written {
        files.push(FileEntry::of(folder, name)?);
    }
    for (server, snapshot) in servers.iter().zip(&snapshots) {
        for schema in &server.schemas {
            let name = manifest::dump_name(schema);
            server.dump(schema, &snapshot.id, &folder.join(&name)).await?;
            files.push(FileEntry::of(folder, name)?);
        }
    }
    database::forget(snapshots).await?;
    let manifest = Manifest::new(taken_at, files);
    for file in &manifest.files {
        let messages = file.messages.map(|messages| format!(", {messages} messages")).unwrap_or_default();
        say!("{:<22} {} bytes{messages}", file.name, file.bytes);
    }
    manifest.write(folder)
}

/// The streams' files, and the databases' snapshots, of one moment.
async fn moment(servers: &[Server], copies: &mut streams::Copies) -> anyhow::Result<(Vec<String>, Vec<Snapshot>)> {
    copies.catch_up().await?;
    let (snapshots, stood) = database::while_events_stand(servers, async || {
        copies.finish().await?;
        database::snapshots(servers).await
    })
    .await?;
    say!(
        "streams copied; nothing was published for {} ms (waited {} ms for that)",
        stood.held.as_millis(),
        stood.waited.as_millis()
    );
    Ok((copies.written()?, snapshots))
}

/// Fills the databases and streams, which must be empty, from a whole backup.
///
/// # Errors
/// When the folder is not whole or not as it was written, or something is not empty: then nothing was changed. When something cannot be
/// written; what was written until then is to be removed by hand: the text says so.
pub async fn restore(
    schemas: &[Schema],
    bus: &Bus,
    topology: topology::TopologySettings,
    from: &Path,
) -> anyhow::Result<()> {
    let names: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
    let manifest = Manifest::read(from, &names)?;
    programs::find("pg_restore")?;
    let used = copy::used(bus).await?;
    ensure!(used.is_empty(), "these streams have been used: {}. Restore into an empty NATS", used.join(", "));
    let servers = database::servers(schemas);
    for server in &servers {
        server.check_empty().await?;
    }
    migrate::check_roles(schemas).await?;
    say!("backup of {}, written by version {}", manifest.taken_at.format("%Y-%m-%d %H:%M:%S UTC"), manifest.version);
    let half = "databases and streams may be half filled now: empty them before you try again";
    for server in &servers {
        for schema in &server.schemas {
            server.restore(schema, &from.join(manifest::dump_name(schema))).await.context(half)?;
            say!("{schema}: restored");
        }
    }
    for schema in schemas {
        migrate::migrate(schema).await.context(half)?;
    }
    topology::ensure(bus, topology).await.context(half)?;
    for file in manifest.files.iter().filter(|file| file.messages.is_some()) {
        let written = streams::put_back(bus, &from.join(&file.name)).await.context(half)?;
        say!("{}: {written} messages", file.name);
    }
    say!("restored. Start the roles; then compare card payments: leadflow reconcile");
    Ok(())
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// It holds personal data, and secrets in sealed form.
fn create_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("make the folder {}", folder.display()))
}
