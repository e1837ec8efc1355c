//! Events leave a service through its outbox, which its transaction wrote: nobody hears of what was not committed, and what was committed is
//! published whatever dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use leadflow_contracts::subjects;

use super::{root, walk};

/// How something can be sent without an outbox, by what a caller writes.
const WAYS: &[&str] = &[".publish(", ".publish_within(", ".send_core(", "redrive(", "copy::"];

type Known = &'static [(&'static str, &'static [&'static str], &'static str)];

/// Files of services and of the executable that do, each with the reason. A new one has to be written down here.
const BESIDE_OUTBOXES: Known = &[
    (
        "services/ingest/src/outbound/publisher.rs",
        &[".publish_within("],
        "a gateway has no database: the stream's acknowledgement is what its answer stands for (group commit)",
    ),
    ("services/ingest/src/app/post_lead.rs", &[".publish("], "the use case of that publisher"),
    ("services/ingest/src/outbound/taken.rs", &[".send_core("], "for live feeds, never stored: nothing hangs on it"),
    (
        "services/distribution/src/app/answers.rs",
        &[".send_core("],
        "an answer to a gateway that waits, after the commit; who misses it asks again",
    ),
    ("services/leadflow/src/cli/dlq.rs", &["redrive("], "an operator sends a dead letter again"),
    (
        "services/leadflow/src/backup/mod.rs",
        &["copy::"],
        "whether streams have been used, before they are filled from a backup",
    ),
    ("services/leadflow/src/backup/streams.rs", &["copy::"], "streams are filled from a backup, before any role runs"),
    (
        "services/leadflow/src/bench/sick.rs",
        &[".publish("],
        "a benchmark of receivers that fail, on servers of its own",
    ),
    ("services/leadflow/src/bench/stand_in.rs", &[".publish("], "a benchmark's stand-in for distribution, likewise"),
];

/// What the client offers for sending. Only `shared/messaging` has it.
const CLIENTS: &[&str] = &["publish(", "publish_with_headers(", "publish_message(", "send_publish(", "request("];

/// Files of `shared/messaging` that send. What is new and public among them belongs to [`WAYS`].
const SENDERS: Known = &[
    ("shared/messaging/src/bus.rs", &["publish(", "publish_with_headers("], "`Bus::publish` and `Bus::send_core`"),
    ("shared/messaging/src/bus/ordered.rs", &["publish_with_headers("], "directory events of outboxes, in their order"),
    ("shared/messaging/src/bus/probe.rs", &["publish("], "whether streams store; removed at once"),
    ("shared/messaging/src/copy.rs", &["publish_with_headers("], "`copy::Writer`"),
    ("shared/messaging/src/dlq.rs", &["publish(", "publish_with_headers("], "dead letters, and `dlq::redrive`"),
    ("shared/messaging/src/group_commit.rs", &["publish("], "`GroupCommitPublisher`, by `Bus::publish`"),
    ("shared/messaging/src/listener.rs", &["publish("], "a listener to itself, to know that it listens"),
    ("shared/messaging/src/outbox/relay.rs", &["publish("], "outboxes, by `Bus::publish`"),
];

/// Files below `folders`, tests apart, with those of `words` that their code has.
fn users(folders: &[&str], words: &[&'static str]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut paths = Vec::new();
    for folder in folders {
        let before = paths.len();
        walk(&root().join(folder), "rs", &mut paths);
        assert!(paths.len() > before, "{folder} has no sources");
    }
    let mut found = BTreeMap::new();
    for path in paths {
        let file = path.strip_prefix(root()).unwrap();
        if file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
            continue;
        }
        let used = words_of(&path, words);
        if !used.is_empty() {
            found.insert(file.to_str().unwrap().to_owned(), used);
        }
    }
    found
}

fn words_of(path: &Path, words: &[&'static str]) -> BTreeSet<&'static str> {
    let text = fs::read_to_string(path).unwrap();
    // Tests are at the end of a file.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    words.iter().copied().filter(|word| lines.iter().any(|line| has(line, word))).collect()
}

/// A word that begins with a letter begins a name, and not that of a function that is written here.
fn has(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = &line[..at];
        let within = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        !word.starts_with(char::is_alphabetic) || !(within || before.ends_with("fn "))
    })
}

fn compare(found: &BTreeMap<String, BTreeSet<&'static str>>, known: Known) {
    let known: BTreeMap<String, BTreeSet<&str>> =
        known.iter().map(|(file, ways, _)| ((*file).to_owned(), ways.iter().copied().collect())).collect();
    let pairs = |of: &BTreeMap<String, BTreeSet<&'static str>>| -> BTreeSet<(String, &'static str)> {
        of.iter().flat_map(|(file, ways)| ways.iter().map(|way| (file.clone(), *way))).collect()
    };
    let (found, known) = (pairs(found), pairs(&known));
    let (new, gone): (Vec<_>, Vec<_>) = (found.difference(&known).collect(), known.difference(&found).collect());
    assert!(new.is_empty(), "{new:?} send without an outbox: append to it in the transaction instead");
    assert!(gone.is_empty(), "{gone:?} do not send any more");
}

#[test]
fn events_leave_services_through_outboxes_only() {
    compare(&users(&["services"], WAYS), BESIDE_OUTBOXES);
}

#[test]
fn who_sends_in_the_crate_of_messages_is_known() {
    compare(&users(&["shared/messaging/src"], CLIENTS), SENDERS);
    let bus = fs::read_to_string(root().join("shared/messaging/src/bus.rs")).unwrap();
    for client in ["fn jetstream(", "fn client("] {
        assert!(!bus.contains(&format!("pub {client}")) && !bus.contains(&format!("pub const {client}")), "{client}");
    }
}

/// What is sent over core NATS would be stored all the same if a stream had its subject.
#[test]
fn no_stream_has_the_subjects_of_what_is_not_stored() {
    let topology = fs::read_to_string(root().join("shared/messaging/src/topology.rs")).unwrap();
    let stored: BTreeSet<_> = topology.split('"').filter_map(|text| text.strip_suffix(".>")).collect();
    let first = |subject: &str| subject.split('.').next().unwrap_or_default().to_owned();
    for kind in [subjects::LEAD_RECEIVED, subjects::WALLET_CREDITED, subjects::NOTIFICATION_GAVE_UP] {
        assert!(stored.contains(first(kind).as_str()), "{kind}: {stored:?}");
    }
    let replies = fs::read_to_string(root().join("services/ingest/src/lib.rs")).unwrap();
    assert!(replies.contains("format!(\"ingest.decisions."), "gateways are answered on another subject");
    for unstored in [subjects::INGEST_TAKEN, "ingest.decisions"] {
        assert!(!stored.contains(first(unstored).as_str()), "{unstored} would be stored");
    }
}

/// The search finds what it is for.
#[test]
fn a_way_is_seen_wherever_it_is_written() {
    assert!(has("    self.bus.publish(&events).await?;", ".publish("));
    assert!(has("publish(subject)", "publish(") && has("client.publish(subject)", "publish("));
    assert!(has("fn send(&self) { self.0.publish(event) }", "publish("));
    assert!(!has("pub async fn publish(&self) {", "publish(") && !has("self.unpublish(subject)", "publish("));
    assert!(!has("outbox.append(tx, events)", "publish("));
}
