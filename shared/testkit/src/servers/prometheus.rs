//! A private Prometheus that looks at metrics of this machine and evaluates alert rules.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{Running, ServerError, free_port, process::tail};
use crate::{guard, wait};

const WHAT: &str = "prometheus";
const START_LIMIT: Duration = Duration::from_secs(60);

/// How to run it.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// The program.
    pub program: PathBuf,
    /// Where its data, its configuration and its log are; made if missing.
    pub dir: PathBuf,
    /// The file of its alert rules.
    pub rules: PathBuf,
    /// What it looks at: the value of the label `role`, and the loopback port of `/metrics`.
    pub targets: Vec<(String, u16)>,
}

/// A running Prometheus on loopback that looks every two seconds and evaluates its rules every second. Dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    running: Running,
}

impl Prometheus {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it cannot be run, refuses its configuration, or does not listen within a minute.
    pub async fn start(options: &PrometheusOptions) -> Result<Self, ServerError> {
        fs::create_dir_all(&options.dir).map_err(ServerError::io("create", &options.dir))?;
        let port = free_port().ok_or(ServerError::PortBusy { what: WHAT, port: 0 })?;
        let config = options.dir.join("prometheus.yml");
        fs::write(&config, config_of(options)).map_err(ServerError::io("write", &config))?;
        let log = options.dir.join("prometheus.log");
        let mut command = Command::new(&options.program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", options.dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(&options.dir);
        let running = Running::spawn(command, WHAT, Some(&log))?;
        guard::process(guard::Server::Nats, running.pid()).map_err(ServerError::io("watch over", &options.program))?;
        let mut server = Self { port, running };
        let ready = wait::try_for("prometheus listens", START_LIMIT, async || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if server.running.is_running() {
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok().then_some(true)
            } else {
                Some(false)
            }
        })
        .await;
        match ready {
            Ok(true) => Ok(server),
            Ok(false) => Err(ServerError::Refused { what: WHAT, detail: tail(Some(&log)) }),
            Err(_) => Err(ServerError::Silent { what: WHAT, seconds: START_LIMIT.as_secs(), detail: tail(Some(&log)) }),
        }
    }

    /// `http://…`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        guard::forget_process(guard::Server::Nats, self.running.pid());
        self.running.kill9();
    }
}

fn config_of(options: &PrometheusOptions) -> String {
    let mut text = format!(
        "global: {{ scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s }}\n\
         rule_files: [{}]\n\
         scrape_configs:\n  - job_name: leadflow\n    static_configs:\n",
        quoted(&options.rules)
    );
    for (role, port) in &options.targets {
        // Writing to a string does not fail.
        let _ = writeln!(text, "      - {{ targets: [\"127.0.0.1:{port}\"], labels: {{ role: \"{role}\" }} }}");
    }
    text
}

/// JSON's quotes are YAML's.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
