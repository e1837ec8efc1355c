//! A folder that stands for a user's machine.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::disk::Disk;
use leadflow_testkit::{
    TempDir,
    servers::{ProcessId, free_port, nats_server, postgres_bin},
};

/// Every role that `up` starts.
pub const ROLES: [&str; 7] = ["accounts", "billing", "distribution", "notifier", "ingest", "bff", "sandbox"];

/// A `.leadflow` folder of its own, on ports of its own. Dropped, it stops what was started in it.
pub struct Machine {
    home: PathBuf,
    env: BTreeMap<&'static str, String>,
    // Both go away after what was started has stopped: fields are dropped in order, after `drop`.
    disk: Option<Disk>,
    folder: TempDir,
}

/// What a command did.
pub struct Outcome {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

impl Outcome {
    pub fn succeeded(&self) {
        assert!(self.ok, "{}\n{}", self.out, self.err);
    }

    /// It failed, and all that it said of it is one line with these parts.
    pub fn failed_with_one_sentence(&self, parts: &[&str]) {
        assert!(!self.ok, "{}", self.out);
        assert_eq!(self.err.trim().lines().count(), 1, "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "no \"{part}\" in: {}", self.err);
        }
    }

    /// What `doctor` found wrong with `what`, and how to mend it: one line, and the exit code says so too.
    pub fn wrong(&self, what: &str) -> (String, String) {
        assert!(!self.ok, "doctor was content:\n{}", self.out);
        let rows: Vec<_> = self.wrongs().into_iter().filter(|row| row.starts_with(&format!("{what}  "))).collect();
        let [row] = rows.as_slice() else { panic!("not one line of {what}:\n{}", self.out) };
        let (found, mend) = row[what.len()..].split_once("; to mend it: ").expect("how to mend it");
        (found.trim().to_owned(), mend.to_owned())
    }

    /// Everything that `doctor` found wrong.
    pub fn wrongs(&self) -> Vec<&str> {
        self.out.lines().filter_map(|line| line.trim_start().strip_prefix("WRONG")).map(str::trim_start).collect()
    }
}

impl Machine {
    pub fn new() -> Self {
        Self::with_disk(None)
    }

    /// One whose `.leadflow` is on a disk of its own.
    pub fn on(disk: Disk) -> Self {
        Self::with_disk(Some(disk))
    }

    fn with_disk(disk: Option<Disk>) -> Self {
        let folder = TempDir::new("machine").expect("folder");
        let mut env = BTreeMap::new();
        for name in [
            "LEADFLOW_PG_PORT",
            "LEADFLOW_NATS_PORT",
            "ACCOUNTS_HTTP_PORT",
            "ACCOUNTS_GRPC_PORT",
            "BILLING_HTTP_PORT",
            "BILLING_GRPC_PORT",
            "DISTRIBUTION_HTTP_PORT",
            "DISTRIBUTION_GRPC_PORT",
            "NOTIFIER_HTTP_PORT",
            "NOTIFIER_GRPC_PORT",
            "INGEST_HTTP_PORT",
            "BFF_HTTP_PORT",
            "SANDBOX_HTTP_PORT",
            "SANDBOX_SMTP_PORT",
        ] {
            env.insert(name, free_port().expect("a port").to_string());
        }
        let show = |path: PathBuf| path.to_str().expect("a plain path").to_owned();
        let home = disk.as_ref().map_or(folder.path(), Disk::path).join(".leadflow");
        env.insert("LEADFLOW_HOME", show(home.clone()));
        env.insert("LEADFLOW_PG_BIN", show(postgres_bin().expect("PostgreSQL").path));
        env.insert("LEADFLOW_NATS_SERVER", show(nats_server().expect("nats-server").path));
        Self { home, env, disk, folder }
    }

    pub fn home(&self) -> PathBuf {
        self.home.clone()
    }

    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("a disk of its own")
    }

    pub fn port(&self, setting: &str) -> u16 {
        self.env[setting].parse().expect("a port")
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, &[])
    }

    pub fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Outcome {
        self.run_under(&[], args, env)
    }

    /// Runs it as the argument of another program.
    pub fn run_under(&self, outer: &[&str], args: &[&str], env: &[(&str, &str)]) -> Outcome {
        let mut words = outer.iter().copied().chain([env!("CARGO_BIN_EXE_leadflow")]).chain(args.iter().copied());
        let output = Command::new(words.next().expect("a program"))
            .args(words)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(&self.env)
            .envs(env.iter().copied())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("run leadflow");
        Outcome {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What is noted and runs, by name.
    pub fn running(&self) -> Vec<(String, ProcessId)> {
        let mut running: Vec<_> = fs::read_dir(self.home().join("run"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pid"))
            .filter_map(|entry| {
                let name = entry.path().file_stem()?.to_str()?.to_owned();
                let note: serde_json::Value = serde_json::from_str(&fs::read_to_string(entry.path()).ok()?).ok()?;
                let process: ProcessId = serde_json::from_value(note["process"].clone()).ok()?;
                process.is_alive().then_some((name, process))
            })
            .collect();
        running.sort_by(|a, b| a.0.cmp(&b.0));
        running
    }

    pub fn process(&self, name: &str) -> ProcessId {
        self.running().into_iter().find(|(other, _)| other == name).expect("it runs").1
    }

    /// Makes a note name another process, started at another time.
    pub fn renumber(&self, name: &str, pid: u32) {
        let path = self.home().join(format!("run/{name}.pid"));
        let mut note: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("a note")).expect("JSON");
        note["process"]["pid"] = pid.into();
        fs::write(path, note.to_string()).expect("write");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}
