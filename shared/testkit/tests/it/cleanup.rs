//! Nothing is left when the process that started servers is gone: this test program runs itself a
//! second time and kills that.

use std::{
    env,
    io::{BufRead, BufReader, Lines},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use leadflow_testkit::{
    TempDir, TestDb, TestNats, TestServers,
    servers::{ProcessId, server_user},
    wait,
};

const CHILD: &str = "LEADFLOW_TESTKIT_CHILD";
const LIMIT: Duration = Duration::from_secs(20);

/// What the second process runs: it starts everything, says so, and waits to be killed.
#[tokio::test]
async fn child() {
    let Ok(purpose) = env::var(CHILD) else { return };
    TestServers::shared().await.expect("servers");
    let db = TestDb::create(&[]).await.expect("database");
    let folder: String = sqlx::query_scalar("SHOW data_directory").fetch_one(db.pool()).await.expect("folder");
    let nats = TestNats::start().await.expect("nats");
    let forgotten = TempDir::new("forgotten").expect("folder");
    // Begins a line of its own: the harness has printed the test's name without an end.
    println!("\nfolder {folder}");
    println!("folder {}", forgotten.path().display());
    println!("nats {}", nats.port());
    println!("ready");
    if purpose == "wait" {
        std::future::pending::<()>().await;
    }
}

struct Started {
    child: Child,
    /// Open, for what it still prints at its end.
    _output: Lines<BufReader<ChildStdout>>,
    folders: Vec<PathBuf>,
    servers: Vec<ProcessId>,
}

fn start_child(copy: &TempDir, purpose: &str, as_somebody_else: bool) -> Started {
    // A copy, because somebody else may not reach the folder that we were built in.
    let program = copy.path().join("it");
    std::fs::copy(env::current_exe().expect("own path"), &program).expect("copy ourselves");
    let mut command = Command::new(program);
    command
        .args(["cleanup::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, purpose)
        .env_remove("LEADFLOW_TEST_DATABASE_URL")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if as_somebody_else {
        let user = server_user().expect("users").expect("we are root");
        command.uid(user.uid).gid(user.gid);
    }
    // Another test's fork may hold the copy open for writing for a moment longer.
    let mut tries = 0;
    let mut child = loop {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && tries < 1_000_000 => {
                tries += 1;
                std::thread::yield_now();
            }
            spawned => break spawned.expect("run ourselves"),
        }
    };
    let mut lines = BufReader::new(child.stdout.take().expect("output")).lines();
    let mut folders = Vec::new();
    let mut ready = false;
    for line in lines.by_ref() {
        let line = line.expect("a line");
        if let Some(folder) = line.strip_prefix("folder ") {
            folders.push(PathBuf::from(folder));
        }
        if line == "ready" {
            ready = true;
            break;
        }
    }
    assert!(ready, "the second process did not get ready");
    let servers = servers_under(child.id());
    Started { child, _output: lines, folders, servers }
}

/// The servers that the process started, by their parent.
fn servers_under(parent: u32) -> Vec<ProcessId> {
    std::fs::read_dir("/proc")
        .expect("proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
            fields.split(' ').nth(1) == Some(parent.to_string().as_str())
                && (stat.contains("(postgres)") || stat.contains("(nats-server)"))
        })
        .filter_map(ProcessId::of)
        .collect()
}

async fn nothing_is_left(started: &Started) {
    for server in &started.servers {
        wait::until(format!("{server:?} ends"), LIMIT, async || !server.is_alive()).await;
    }
    for folder in &started.folders {
        wait::until(format!("{} is removed", folder.display()), LIMIT, async || !folder.exists()).await;
    }
}

#[tokio::test]
async fn nothing_is_left_after_sigkill() {
    let copy = TempDir::new("copy").expect("folder");
    let mut started = start_child(&copy, "wait", false);
    assert_eq!(started.servers.len(), 2, "postgres and nats-server");
    assert_eq!(started.folders.len(), 2);
    assert!(started.folders.iter().all(|folder| folder.exists()));
    started.child.kill().expect("kill");
    started.child.wait().expect("reap");
    nothing_is_left(&started).await;
}

#[tokio::test]
async fn nothing_is_left_after_an_ordinary_end() {
    let copy = TempDir::new("copy").expect("folder");
    let mut started = start_child(&copy, "end", false);
    assert!(started.child.wait().expect("wait").success());
    nothing_is_left(&started).await;
}

#[tokio::test]
async fn servers_come_up_for_a_user_who_is_not_root() {
    if server_user().expect("users").is_none() {
        // Not root: every other test here has shown it.
        return;
    }
    let copy = TempDir::new("copy").expect("folder");
    let mut started = start_child(&copy, "wait", true);
    assert_eq!(started.servers.len(), 2, "postgres and nats-server");
    started.child.kill().expect("kill");
    started.child.wait().expect("reap");
    nothing_is_left(&started).await;
}
