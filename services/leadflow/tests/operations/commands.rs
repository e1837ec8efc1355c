//! What documents tell people to type is what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use super::{read, root};

fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for folder in ["docs", "k8s", "migrations", "proto"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    for folder in ["services", "shared"] {
        let crates = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path().join("README.md"));
        found.extend(crates.filter(|path| path.exists()));
    }
    found
}

/// What a document sets as code: between backquotes, in fences, and indented by four.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut fenced, mut prose) = (false, String::new());
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim().to_owned());
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    found.extend(prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")));
    found
}

/// What stands behind `program` in a line of code, up to the command's end.
fn arguments<'a>(line: &'a str, program: &str) -> Vec<Vec<&'a str>> {
    let line = line.split(" #").next().unwrap_or(line);
    let mut all = Vec::new();
    for command in line.split(['|', ';', '&', '(', ')']) {
        let words: Vec<&str> = command.split([' ', '[', ']', '`']).filter(|word| !word.is_empty()).collect();
        let begins = |at: usize| at == 0 || words[at - 1].contains('=') || words[at - 1] == "run";
        if let Some(at) = (0..words.len()).find(|&at| words[at] == program && begins(at)) {
            all.push(words[at + 1..].to_vec());
        }
    }
    all
}

/// What `leadflow help WORDS` says; `None`: there is no such command.
struct Help(BTreeMap<Vec<String>, Option<String>>);

impl Help {
    fn of(&mut self, words: &[&str]) -> Option<&str> {
        let key: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let ask = || {
            let output = Command::new(env!("CARGO_BIN_EXE_leadflow")).arg("help").args(words).output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        };
        self.0.entry(key).or_insert_with(ask).as_deref()
    }

    /// What is wrong with `leadflow ARGUMENTS`, if anything is.
    fn problem(&mut self, arguments: &[&str]) -> Option<String> {
        let is_name = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let mut path: Vec<&str> = Vec::new();
        for word in arguments.iter().take_while(|word| is_name(word) && !word.starts_with('-')) {
            let wants_command =
                self.of(&path).is_some_and(|help| help.contains("<COMMAND>") || help.contains("[COMMAND]"));
            if !wants_command {
                break;
            }
            path.push(word);
            if self.of(&path).is_none() {
                return Some(format!("there is no `leadflow {}`", path.join(" ")));
            }
        }
        let help = self.of(&path).unwrap_or_default();
        let options = arguments.iter().filter(|word| word.starts_with("--"));
        let unknown = options.map(|word| word.split('=').next().unwrap_or(word)).find(|option| {
            let has = |line: &str| line.split([' ', ',']).any(|word| word == *option);
            !help.lines().any(has)
        });
        unknown.map(|option| format!("`leadflow {}` has no option {option}", path.join(" ")))
    }
}

#[test]
fn documents_name_commands_and_options_that_there_are() {
    let mut help = Help(BTreeMap::new());
    let targets: BTreeSet<String> = read("Makefile")
        .lines()
        .filter_map(|line| line.split_once(':').map(|(target, _)| target.to_owned()))
        .filter(|target| target.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'))
        .collect();
    let (mut problems, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let mut wrong = |problem: String| problems.push(format!("{}: {problem}", document.display()));
        for line in code(&text) {
            for command in arguments(&line, "leadflow") {
                seen += 1;
                if let Some(problem) = help.problem(&command) {
                    wrong(problem);
                }
            }
            for command in arguments(&line, "make") {
                seen += 1;
                if let Some(target) = command.first().filter(|target| !targets.contains(**target)) {
                    wrong(format!("there is no `make {target}`"));
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_command_that_is_not_there_is_found() {
    let mut help = Help(BTreeMap::new());
    assert_eq!(help.problem(&["dlq", "list", "--limit", "5"]), None);
    assert_eq!(help.problem(&["serve", "ingest"]), None);
    assert!(help.problem(&["dlq", "lst"]).is_some());
    assert!(help.problem(&["dlqs"]).is_some());
    assert!(help.problem(&["dlq", "list", "--limits=5"]).is_some());
    assert_eq!(code("Say `make\nup`.\n\n    leadflow up\n"), ["leadflow up", "make up"]);
    assert!(arguments("kubectl --namespace leadflow apply", "leadflow").is_empty());
    assert_eq!(arguments("docker run leadflow serve ROLE | less", "leadflow"), [["serve", "ROLE"]]);
}
