//! Whether what PostgreSQL and nats-server store belongs together. Events point at rows and rows wait
//! for events: with one of the two folders gone the other is of no use, and would fail in ways that are
//! hard to read. So both carry the same id from their first start on, and the secrets that rows are encrypted
//! with must be there too.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    layout::{Layout, write_private},
    servers,
};

const FILE: &str = "leadflow-id";

/// The two folders and the note of an id that is being given.
struct Places {
    folders: [PathBuf; 2],
    giving: PathBuf,
    secrets: PathBuf,
    data: PathBuf,
}

impl Places {
    fn of(layout: &Layout) -> Self {
        let data = layout.data();
        Self {
            folders: [data.join(servers::POSTGRES), data.join(servers::NATS)],
            giving: data.join(FILE),
            secrets: layout.secrets(),
            data,
        }
    }
}

/// Refuses data that do not belong together. Call it before either server is started.
///
/// # Errors
/// One sentence: what is missing and how to go on.
pub fn check(layout: &Layout) -> anyhow::Result<()> {
    let places = Places::of(layout);
    let [postgres, nats] = [id(&places.folders[0])?, id(&places.folders[1])?];
    let [postgres_data, nats_data] = &places.folders;
    let way_out = format!("put it back, or start empty with: make down && rm -rf {}", places.data.display());
    let being_given = places.giving.exists();
    match (postgres, nats) {
        (Some(a), Some(b)) if a != b => anyhow::bail!(
            "{} and {} are of two different installations; put the right one back, or start empty with: make down && rm -rf {}",
            postgres_data.display(),
            nats_data.display(),
            places.data.display()
        ),
        (Some(_), None) if !being_given => {
            anyhow::bail!(
                "{} was removed while the database that belongs to it was kept; {way_out}",
                nats_data.display()
            )
        }
        (None, Some(_)) if !being_given => anyhow::bail!(
            "{} was removed while the streams that belong to it were kept; {way_out}",
            postgres_data.display()
        ),
        (Some(_), Some(_)) if !places.secrets.exists() => anyhow::bail!(
            "{} was removed while the data that are encrypted with it were kept; {way_out}",
            places.secrets.display()
        ),
        _ => Ok(()),
    }
}

/// Gives both folders their id, if they have none yet. Call it once both servers have started.
///
/// # Errors
/// When a file cannot be written.
pub fn join(layout: &Layout) -> anyhow::Result<()> {
    let places = Places::of(layout);
    if !places.giving.exists() {
        if places.folders.iter().all(|folder| folder.join(FILE).exists()) {
            return Ok(());
        }
        write_private(&places.giving, &format!("{:032x}\n", rand::random::<u128>()))?;
    }
    // Interrupted here, the next `up` goes on with the same id.
    let id = fs::read_to_string(&places.giving).with_context(|| format!("cannot read {}", places.giving.display()))?;
    for folder in &places.folders {
        write_private(&folder.join(FILE), &id)?;
    }
    fs::remove_file(&places.giving).with_context(|| format!("cannot remove {}", places.giving.display()))
}

fn id(folder: &Path) -> anyhow::Result<Option<String>> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use leadflow_testkit::TempDir;

    use super::*;

    fn layout(folder: &TempDir) -> Layout {
        let layout = Layout::at(folder.path().to_owned());
        layout.create().unwrap();
        for name in [servers::POSTGRES, servers::NATS] {
            fs::create_dir_all(layout.data().join(name)).unwrap();
        }
        fs::write(layout.secrets(), "").unwrap();
        layout
    }

    fn refused(layout: &Layout) -> String {
        let text = check(layout).expect_err("refused").to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("make down && rm -rf "), "{text}");
        text
    }

    #[test]
    fn what_was_joined_must_stay_together() {
        let folder = TempDir::new("pair").unwrap();
        let layout = layout(&folder);
        check(&layout).expect("new ones have no id");
        join(&layout).unwrap();
        join(&layout).unwrap();
        check(&layout).expect("they belong together");

        let (postgres, nats) = (layout.data().join("postgresql"), layout.data().join("nats"));
        let kept = fs::read_to_string(nats.join(FILE)).unwrap();
        fs::remove_dir_all(&nats).unwrap();
        assert!(refused(&layout).contains("data/nats was removed"));
        fs::create_dir(&nats).unwrap();
        fs::write(nats.join(FILE), "of another").unwrap();
        assert!(refused(&layout).contains("two different installations"));
        fs::write(nats.join(FILE), kept).unwrap();
        fs::remove_dir_all(&postgres).unwrap();
        assert!(refused(&layout).contains("data/postgresql was removed"));
    }

    #[test]
    fn secrets_stay_with_their_data() {
        let folder = TempDir::new("pair").unwrap();
        let layout = layout(&folder);
        join(&layout).unwrap();
        fs::remove_file(layout.secrets()).unwrap();
        assert!(refused(&layout).contains("secrets.env was removed"));
    }

    #[test]
    fn joining_that_was_interrupted_goes_on() {
        let folder = TempDir::new("pair").unwrap();
        let layout = layout(&folder);
        join(&layout).unwrap();
        let nats = layout.data().join("nats").join(FILE);
        let id = fs::read_to_string(&nats).unwrap();
        // As it was after the first of the two.
        fs::rename(&nats, layout.data().join(FILE)).unwrap();
        check(&layout).expect("it is being given");
        join(&layout).unwrap();
        assert_eq!(fs::read_to_string(&nats).unwrap(), id);
        check(&layout).expect("they belong together");
    }
}
