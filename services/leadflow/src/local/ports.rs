//! Busy ports, and who keeps them busy.

use std::{fs, path::Path};

use leadflow_testkit::servers::is_free;

/// A port that shall be used.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// By what.
    pub what: String,
    /// The port.
    pub port: u16,
    /// The setting that chooses another.
    pub setting: &'static str,
}

/// One sentence for each port that is not to be had: who has it, and how to choose another. What the
/// processes `ours` listen on is to be had: they are kept or replaced.
pub fn problems(wanted: &[Wanted], ours: &[u32]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, want) in wanted.iter().enumerate() {
        if let Some(other) = wanted[..index].iter().find(|other| other.port == want.port) {
            problems.push(format!(
                "port {} is set for both {} ({}) and {} ({}); give one of them another",
                want.port, other.what, other.setting, want.what, want.setting
            ));
        } else if !is_free(want.port) {
            let owner = owner(want.port);
            if owner.as_ref().is_some_and(|owner| ours.contains(&owner.pid)) {
                continue;
            }
            let owner = owner.map_or_else(|| "another program".to_owned(), |owner| owner.to_string());
            problems.push(format!(
                "port {} for {} is in use by {owner}; stop it, or choose another port, for example: {}={} make up",
                want.port,
                want.what,
                want.setting,
                suggestion(want.port, wanted)
            ));
        }
    }
    problems
}

fn suggestion(busy: u16, wanted: &[Wanted]) -> u16 {
    (1..1000)
        .filter_map(|step| busy.checked_add(step))
        .find(|port| wanted.iter().all(|want| want.port != *port) && is_free(*port))
        .unwrap_or(busy)
}

struct Owner {
    pid: u32,
    name: String,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// The process that listens on the port, if we may look into it.
fn owner(port: u16) -> Option<Owner> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listening_inode(&table, port))?;
    let link = format!("socket:[{socket}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == Path::new(&link)));
        let name = || fs::read_to_string(entry.path().join("comm")).map(|name| name.trim().to_owned());
        holds.then(|| Owner { pid, name: name().unwrap_or_else(|_| "a program".to_owned()) })
    })
}

/// From the kernel's table: local address in field 2, state in field 4 (0A: listening), inode in field 10.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        (local.ends_with(&suffix) && state == "0A").then(|| inode.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(what: &str, port: u16, setting: &'static str) -> Wanted {
        Wanted { what: what.to_owned(), port, setting }
    }

    #[test]
    fn a_busy_port_is_told_with_its_owner_and_the_way_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let problems = problems(&[want("ingest", port, "INGEST_HTTP_PORT")], &[]);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(problem.contains(&format!("port {port} for ingest is in use by")), "{problem}");
        assert!(problem.contains(&format!("(process {})", std::process::id())), "{problem}");
        assert!(problem.contains("INGEST_HTTP_PORT="), "{problem}");
        let ours = super::problems(&[want("ingest", port, "INGEST_HTTP_PORT")], &[std::process::id()]);
        assert!(ours.is_empty(), "{ours:?}");
    }

    #[test]
    fn one_port_for_two_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        drop(listener);
        let problems = problems(&[want("a", port, "A_PORT"), want("b", port, "B_PORT")], &[]);
        assert!(problems[0].contains("A_PORT") && problems[0].contains("B_PORT"), "{problems:?}");
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:3C48 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 4242 1 0000\n   1: 0100007F:3C49 0100007F:9999 01 00000000:00000000 00:00000000 00000000   101        0 77 1 0000\n";
        assert_eq!(listening_inode(table, 0x3C48), Some(4242));
        assert_eq!(listening_inode(table, 0x3C49), None, "connected, not listening");
    }
}
