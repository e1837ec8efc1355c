//! What is not as it was written is refused by its name, before anything is done with it.

use std::{fs, path::Path};

use chrono::DateTime;
use leadflow_messaging::topology::STREAMS;
use leadflow_testkit::TempDir;

use crate::backup::manifest::{FileEntry, Manifest, dump_name, stream_name};

const SCHEMAS: [&str; 2] = ["accounts", "billing"];
const MANIFEST: &str = "manifest.json";

/// A folder with a whole backup of nothing much.
fn whole() -> TempDir {
    let folder = TempDir::new("manifest").unwrap();
    let dumps = SCHEMAS.map(dump_name).into_iter().map(|name| (name, "rows"));
    let streams = STREAMS.map(stream_name).into_iter().map(|name| (name, "{}\n{}\n"));
    let files = dumps.chain(streams).map(|(name, text)| {
        fs::write(folder.path().join(&name), text).unwrap();
        FileEntry::of(folder.path(), name).unwrap()
    });
    Manifest::new(DateTime::UNIX_EPOCH, files.collect()).write(folder.path()).unwrap();
    folder
}

fn read(folder: &Path) -> anyhow::Result<Manifest> {
    Manifest::read(folder, &SCHEMAS)
}

fn refused(folder: &Path) -> String {
    format!("{:#}", read(folder).expect_err("it is refused"))
}

/// The list with one text instead of another.
fn listing(old: &str, new: &str) -> String {
    let folder = whole();
    let path = folder.path().join(MANIFEST);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old} is not in {text}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    refused(folder.path())
}

#[test]
fn a_whole_one_is_read_with_its_messages() {
    let folder = whole();
    let manifest = read(folder.path()).unwrap();
    let messages: Vec<_> = manifest.files.iter().map(|file| file.messages).collect();
    assert_eq!(messages, [None, None, Some(2), Some(2), Some(2), Some(2), Some(2)]);
}

#[test]
fn names_that_are_not_of_this_folder_are_refused() {
    for name in [
        "../accounts.dump",
        "..",
        ".",
        "",
        "/etc/passwd",
        "/accounts.dump",
        "./accounts.dump",
        "accounts.dump/",
        "accounts.dump/.",
        "more/accounts.dump",
        "more/../accounts.dump",
    ] {
        let told = listing("\"accounts.dump\"", &format!("\"{name}\""));
        assert!(told.contains(&format!("{name:?}")) && told.contains("not a file of this folder"), "{name}: {told}");
    }
}

#[test]
fn names_of_no_schema_and_no_stream_are_refused() {
    for name in
        ["accounts.sql", "accounts", "notifier.dump", "accounts.ndjson", "LEADS.dump", "ACCOUNTS.dump", "a\u{0}b"]
    {
        let told = listing("\"accounts.dump\"", &serde_json::to_string(name).unwrap());
        assert!(told.contains(&format!("{name:?}")) && told.contains("neither a schema's nor a stream's"), "{told}");
    }
}

#[test]
fn each_schema_and_each_stream_is_listed_once() {
    let told = listing("\"accounts.dump\"", "\"billing.dump\"");
    assert!(told.contains("\"billing.dump\" twice"), "{told}");
    let folder = whole();
    for name in SCHEMAS.map(dump_name).into_iter().chain(STREAMS.map(stream_name)) {
        let mut manifest = read(folder.path()).unwrap();
        manifest.files.retain(|file| file.name != name);
        let other = TempDir::new("manifest").unwrap();
        manifest.write(other.path()).unwrap();
        let told = refused(other.path());
        assert!(told.contains(&format!("does not list {name:?}")), "{told}");
    }
}

#[test]
fn another_layout_and_what_nobody_wrote_are_refused() {
    assert!(listing("\"format\": 1", "\"format\": 2").contains("format 2"));
    assert!(listing("\"format\"", "\"more\": 1, \"format\"").contains("more"));
    assert!(listing("\"messages\": 2", "\"messages\": 3").contains(&stream_name(STREAMS[0])));
    let folder = TempDir::new("manifest").unwrap();
    assert!(refused(folder.path()).contains("no manifest.json"));
}

/// Every bit of every file, and every length.
#[test]
fn a_bit_that_is_another_and_an_end_that_is_missing_are_found() {
    let folder = whole();
    for name in SCHEMAS.map(dump_name).into_iter().chain(STREAMS.map(stream_name)) {
        let path = folder.path().join(&name);
        let good = fs::read(&path).unwrap();
        let wrong = |bytes: &[u8], what: &str| {
            fs::write(&path, bytes).unwrap();
            let told = refused(folder.path());
            assert!(told.contains(&name) && told.contains(what), "{told}");
        };
        for bit in 0..good.len() * 8 {
            wrong(&flipped(&good, bit), "checksum");
        }
        for length in 0..good.len() {
            wrong(&good[..length], "bytes");
        }
        wrong(&[&good[..], b"\n"].concat(), "bytes");
        fs::remove_file(&path).unwrap();
        let told = refused(folder.path());
        assert!(told.contains(&name), "{told}");
        fs::write(&path, good).unwrap();
    }
    read(folder.path()).unwrap();
}

/// The list has no checksum of its own. What a wrong bit of it can change without being found is only shown to people.
#[test]
fn a_wrong_bit_of_the_list_changes_nothing_that_is_restored() {
    let folder = whole();
    let path = folder.path().join(MANIFEST);
    let good = fs::read(&path).unwrap();
    let was = read(folder.path()).unwrap();
    let mut not_found = 0;
    for bit in 0..good.len() * 8 {
        fs::write(&path, flipped(&good, bit)).unwrap();
        if let Ok(manifest) = read(folder.path()) {
            assert_eq!(manifest.files, was.files, "bit {bit}");
            not_found += 1;
        }
    }
    assert!(not_found < good.len(), "{not_found} wrong bits of {}", good.len() * 8);
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        assert!(refused(folder.path()).contains(MANIFEST), "{length}");
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
