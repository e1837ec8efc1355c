//! Where the servers' programs are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::ServerError;

/// A program that will do.
#[derive(Debug, Clone)]
pub struct Found {
    /// nats-server itself; for PostgreSQL the folder of its programs.
    pub path: PathBuf,
    /// As it says itself, for example `15.18`.
    pub version: String,
}

/// Major, minor, patch.
type Version = (u32, u32, u32);

const POSTGRES_MINIMUM: Version = (15, 0, 0);
const NATS_MINIMUM: Version = (2, 12, 3);

/// The folder for tools, data and logs: `LEADFLOW_HOME`; else `.leadflow` in the current folder or
/// the nearest one above that has it; else `.leadflow` where this program was built.
#[must_use]
pub fn leadflow_home() -> PathBuf {
    // Without links: the folder may be a link out of a home that PostgreSQL's user cannot enter.
    let home = configured_home();
    home.canonicalize().unwrap_or(home)
}

fn configured_home() -> PathBuf {
    if let Some(home) = env::var_os("LEADFLOW_HOME").filter(|home| !home.is_empty()) {
        return PathBuf::from(home);
    }
    let built_at = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.leadflow");
    env::current_dir()
        .ok()
        .and_then(|cwd| cwd.ancestors().map(|folder| folder.join(".leadflow")).find(|home| home.is_dir()))
        .unwrap_or(built_at)
}

/// The folder with `postgres` and `initdb`, version 15 or newer: `LEADFLOW_PG_BIN`, the fetched
/// one, the distribution's newest, `PATH`.
///
/// # Errors
/// [`ServerError::NotFound`], with what was passed over.
pub fn postgres_bin() -> Result<Found, ServerError> {
    let mut places = Vec::new();
    places.extend(setting("LEADFLOW_PG_BIN"));
    places.push(leadflow_home().join("tools/postgres/bin"));
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    packaged.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    places.extend(packaged.into_iter().map(|(_, path)| path));
    places.extend(on_path("initdb").and_then(|initdb| Some(initdb.canonicalize().ok()?.parent()?.to_path_buf())));
    pick(
        "PostgreSQL",
        "15",
        "LEADFLOW_PG_BIN to the folder of its programs",
        POSTGRES_MINIMUM,
        places.into_iter().filter(|bin| bin.join("postgres").is_file() && bin.join("initdb").is_file()),
        |bin| bin.join("postgres"),
    )
}

/// nats-server, version 2.12.3 or newer: `LEADFLOW_NATS_SERVER`, the fetched one, `PATH`.
///
/// # Errors
/// [`ServerError::NotFound`], with what was passed over.
pub fn nats_server() -> Result<Found, ServerError> {
    let mut places = Vec::new();
    places.extend(setting("LEADFLOW_NATS_SERVER"));
    places.push(leadflow_home().join("tools/nats-server"));
    places.extend(on_path("nats-server"));
    pick(
        "nats-server",
        "2.12.3",
        "LEADFLOW_NATS_SERVER to its path",
        NATS_MINIMUM,
        places.into_iter().filter(|path| path.is_file()),
        Path::to_path_buf,
    )
}

fn pick(
    what: &'static str,
    minimum: &'static str,
    setting: &'static str,
    least: Version,
    places: impl Iterator<Item = PathBuf>,
    program: impl Fn(&Path) -> PathBuf,
) -> Result<Found, ServerError> {
    let mut passed_over = Vec::new();
    for path in places {
        match version(&program(&path)) {
            Some((have, text)) if have >= least => {
                return Ok(Found { path, version: text });
            }
            Some((_, text)) => passed_over.push(format!("{} ({text})", path.display())),
            None => passed_over.push(format!("{} (does not run)", path.display())),
        }
    }
    Err(ServerError::NotFound { what, minimum, setting, passed_over })
}

fn setting(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn version(program: &Path) -> Option<(Version, String)> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// From `postgres (PostgreSQL) 15.18 (Debian …)` or `nats-server: v2.15.1`.
fn parse_version(text: &str) -> Option<(Version, String)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let number = rest[..end].trim_end_matches('.');
    let mut parts = number.split('.').map(str::parse::<u32>);
    let major = parts.next()?.ok()?;
    let mut next = || parts.next().and_then(Result::ok).unwrap_or(0);
    Some(((major, next(), next()), number.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_as_the_programs_print_them() {
        for (text, version, number) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", (15, 18, 0), "15.18"),
            ("postgres (PostgreSQL) 18.6\n", (18, 6, 0), "18.6"),
            ("postgres (PostgreSQL) 19beta1\n", (19, 0, 0), "19"),
            ("nats-server: v2.15.1\n", (2, 15, 1), "2.15.1"),
        ] {
            assert_eq!(parse_version(text), Some((version, number.to_owned())), "{text}");
        }
        assert_eq!(parse_version("no idea"), None);
    }
}
