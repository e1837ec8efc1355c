//! A folder that stands for a user's machine.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use leadflow_testkit::{
    TempDir,
    servers::{ProcessId, free_port, nats_server, postgres_bin},
};

/// Every role that `up` starts.
pub const ROLES: [&str; 6] = ["accounts", "billing", "distribution", "notifier", "ingest", "sandbox"];

/// A `.leadflow` folder of its own, on ports of its own. Dropped, it stops what was started in it.
pub struct Machine {
    folder: TempDir,
    env: BTreeMap<&'static str, String>,
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
}

impl Machine {
    pub fn new() -> Self {
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
            "SANDBOX_HTTP_PORT",
        ] {
            env.insert(name, free_port().expect("a port").to_string());
        }
        let show = |path: PathBuf| path.to_str().expect("a plain path").to_owned();
        env.insert("LEADFLOW_HOME", show(folder.path().join(".leadflow")));
        env.insert("LEADFLOW_PG_BIN", show(postgres_bin().expect("PostgreSQL").path));
        env.insert("LEADFLOW_NATS_SERVER", show(nats_server().expect("nats-server").path));
        Self { folder, env }
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join(".leadflow")
    }

    pub fn port(&self, setting: &str) -> u16 {
        self.env[setting].parse().expect("a port")
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, &[])
    }

    pub fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_leadflow"))
            .args(args)
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
