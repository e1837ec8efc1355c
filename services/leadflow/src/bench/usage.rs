//! What the processes of a cluster use, read from `/proc`.

use std::{collections::BTreeMap, fs};

use leadflow_testkit::cluster::Cluster;

/// CPU seconds so far, by who used them.
pub type Cpu = BTreeMap<String, f64>;

/// CPU seconds of every role, the servers and this process (which is load generator and webhook
/// receiver).
pub fn cpu(cluster: &Cluster) -> Cpu {
    let mut used = Cpu::new();
    for replica in &cluster.replicas {
        if let Some(pid) = replica.pid() {
            *used.entry(replica.role.to_owned()).or_default() += seconds(pid);
        }
    }
    if let Some(pid) = cluster.postgres.pid() {
        let children: f64 = children(pid).into_iter().map(seconds).sum();
        // Backends that have ended are in the postmaster's own account.
        used.insert("PostgreSQL".to_owned(), children + seconds(pid));
    }
    if let Some(pid) = cluster.nats.pid() {
        used.insert("nats-server".to_owned(), seconds(pid));
    }
    used.insert("bench (load, webhook receiver)".to_owned(), seconds(std::process::id()));
    used
}

/// Resident memory of each running replica, in MiB.
pub fn memory(cluster: &Cluster) -> Vec<(String, f64)> {
    let mut rows: Vec<_> = cluster
        .replicas
        .iter()
        .filter_map(|replica| Some((format!("{} {}", replica.role, replica.index + 1), resident(replica.pid()?)?)))
        .collect();
    if let Some(mib) = cluster.nats.pid().and_then(resident) {
        rows.push(("nats-server".to_owned(), mib));
    }
    rows
}

/// Resident memory of a process, in MiB.
pub fn resident(pid: u32) -> Option<f64> {
    mib(pid, "VmRSS:")
}

/// The most resident memory that a process had since it began, in MiB.
pub fn peak(pid: u32) -> Option<f64> {
    mib(pid, "VmHWM:")
}

/// A process's part of the memory that is resident, in MiB: a page that several share counts in equal parts. So the sum over processes is what they
/// hold together.
pub fn proportional(pid: u32) -> Option<f64> {
    mib_of(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn mib(pid: u32, field: &str) -> Option<f64> {
    mib_of(&format!("/proc/{pid}/status"), field)
}

fn mib_of(file: &str, field: &str) -> Option<f64> {
    let status = fs::read_to_string(file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// User and system time, children that have ended included.
fn seconds(pid: u32) -> f64 {
    fields(pid).map_or(0.0, |fields| {
        fields.get(11..15).unwrap_or_default().iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
    })
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| fields(pid).is_some_and(|fields| fields.get(1).is_some_and(|ppid| *ppid == parent.to_string())))
        .collect()
}

/// The fields of `/proc/PID/stat` after the command's name.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}
