//! The rules of the layout, so that a reader can trust a path.

#[path = "architecture/outboxes.rs"]
mod outboxes;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every crate of the workspace with what it depends on, tests apart, and what its tests depend on.
struct Crate {
    folder: String,
    uses: BTreeSet<String>,
    tests_use: BTreeSet<String>,
}

fn crates() -> BTreeMap<String, Crate> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let folder = |manifest: &str| {
        let path = Path::new(manifest).parent().unwrap();
        path.strip_prefix(root()).unwrap_or(path).to_str().unwrap().to_owned()
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let of_kind = |test: bool| {
                package["dependencies"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|dependency| (dependency["kind"] == "dev") == test)
                    .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                    .collect()
            };
            let value = Crate {
                folder: folder(package["manifest_path"].as_str().unwrap()),
                uses: of_kind(false),
                tests_use: of_kind(true),
            };
            (package["name"].as_str().unwrap().to_owned(), value)
        })
        .collect()
}

/// Which crates of ours a crate may use, by its folder.
fn allowed(folder: &str) -> Option<Vec<String>> {
    let names = |names: &[&str]| names.iter().map(|name| format!("leadflow-{name}")).collect::<Vec<_>>();
    Some(match folder.split('/').collect::<Vec<_>>()[..] {
        ["shared", "kernel" | "outbound-http" | "outbound-mail"] => names(&[]),
        ["proto"] | ["shared", "testkit"] => names(&["kernel"]),
        ["shared", "messaging"] | ["shared", "platform"] => names(&["kernel", "contracts"]),
        ["services", _, "domain"] => names(&["kernel"]),
        // Only the executable knows all.
        ["services", "leadflow"] => return None,
        ["services", "sandbox"] => names(&["kernel", "platform", "outbound-http"]),
        ["services", service] => {
            let mut list = names(&["kernel", "contracts", "messaging", "platform", "outbound-http", "outbound-mail"]);
            list.push(format!("leadflow-{service}-domain"));
            list
        }
        _ => panic!("{folder} is no place for a crate"),
    })
}

#[test]
fn arrows_between_crates_point_down() {
    for (name, it) in crates() {
        let Some(allowed) = allowed(&it.folder) else { continue };
        for used in it.uses.iter().filter(|used| used.starts_with("leadflow-")) {
            assert!(allowed.contains(used), "{name} must not use {used}");
        }
        for used in it.tests_use.iter().filter(|used| used.starts_with("leadflow-")) {
            // Tests may start servers, and look at what the sandbox received.
            let fine = allowed.contains(used) || used == "leadflow-testkit" || used == "leadflow-sandbox";
            assert!(fine, "tests of {name} must not use {used}");
        }
    }
}

#[test]
fn one_crate_knows_each_client() {
    for (name, it) in crates() {
        let owners = [
            ("async-nats", "leadflow-messaging"),
            ("reqwest", "leadflow-outbound-http"),
            ("lettre", "leadflow-outbound-mail"),
        ];
        for (library, owner) in owners {
            assert!(name == owner || !it.uses.contains(library), "{name} must not use {library}: that is {owner}'s");
        }
    }
}

#[test]
fn rules_are_pure() {
    let impure =
        ["tokio", "sqlx", "tonic", "axum", "async-nats", "reqwest", "futures", "rand", "tracing", "async-trait"];
    for (name, it) in crates().iter().filter(|(_, it)| it.folder.ends_with("/domain")) {
        for library in impure {
            assert!(!it.uses.contains(library), "{name} is pure and must not use {library}");
        }
    }
}

/// Every file of this kind below `folder`.
fn walk(folder: &Path, kind: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, kind, into);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            into.push(path);
        }
    }
}

/// Money is decimal wherever it goes: in rules, in tables and on the wire.
#[test]
fn no_amount_is_a_float() {
    for (folder, kind, words) in [
        ("services/accounts", "rs", &["f32", "f64"][..]),
        ("services/bff", "rs", &["f32", "f64"]),
        ("services/billing", "rs", &["f32", "f64"]),
        ("services/distribution", "rs", &["f32", "f64"]),
        ("migrations", "sql", &["real", "double", "float", "float4", "float8", "money"]),
        ("proto/leadflow", "proto", &["float", "double"]),
    ] {
        let mut files = Vec::new();
        walk(&root().join(folder), kind, &mut files);
        assert!(!files.is_empty(), "{folder} has no files");
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split(if kind == "sql" { "--" } else { "//" }).next().unwrap_or_default();
                let mut parts = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let found = parts.find(|part| words.contains(&part.to_ascii_lowercase().as_str()));
                assert!(found.is_none(), "{}:{}: {found:?}", path.display(), number + 1);
            }
        }
    }
}

/// Every Rust file below `services/*/src`, with the service's name.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    for service in ["accounts", "bff", "billing", "distribution", "ingest", "notifier"] {
        let mut paths = Vec::new();
        walk(&root().join("services").join(service).join("src"), "rs", &mut paths);
        assert!(!paths.is_empty(), "{service} has no sources");
        files.extend(paths.into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (service.to_owned(), path, text)
        }));
    }
    files
}

#[test]
fn sql_is_in_store_and_of_the_services_own_schema() {
    let schemas = ["accounts", "billing", "distribution", "notifier"];
    for (service, path, text) in sources() {
        let in_store = path.components().any(|part| part.as_os_str() == "store");
        assert!(in_store || !text.contains("sqlx::query"), "{}: SQL outside store/", path.display());
        if !in_store {
            continue;
        }
        for schema in schemas.iter().filter(|schema| **schema != service) {
            for word in ["FROM ", "JOIN ", "INTO ", "UPDATE ", "LOCK TABLE "] {
                let foreign = format!("{word}{schema}.");
                assert!(!text.contains(&foreign), "{}: {service} must not touch {schema}", path.display());
            }
        }
    }
}

/// What of a statement gives a table's rows whole, as the table happens to be: prepared, it fails when the next release adds a column.
fn whole_rows(source: &str) -> Vec<String> {
    const SCHEMAS: [&str; 4] = ["accounts.", "billing.", "distribution.", "notifier."];
    let mut found = Vec::new();
    for statement in source.split("sqlx::query").skip(1) {
        let words: Vec<&str> = statement.split_whitespace().filter(|word| *word != "\\").collect();
        for (at, pair) in words.windows(2).enumerate() {
            let from_table =
                || words.get(at + 3).is_some_and(|word| SCHEMAS.iter().any(|schema| word.starts_with(schema)));
            if pair[0].ends_with("\"SELECT") && pair[1] == "*" && from_table() {
                found.push("SELECT *".to_owned());
            }
            if pair[0] == "RETURNING" && pair[1].starts_with('*') {
                found.push("RETURNING *".to_owned());
            }
            // A table under another name, and all of that.
            let name = pair[1].trim_end_matches(|c: char| !c.is_alphanumeric());
            if SCHEMAS.iter().any(|schema| pair[0].starts_with(schema)) && !name.is_empty() {
                let all = format!("{name}.*");
                found.extend(words.iter().filter(|word| word.trim_end_matches(',') == all).map(|_| all.clone()));
            }
        }
    }
    found
}

#[test]
fn statements_name_the_columns_that_they_read() {
    assert_eq!(whole_rows(r#"sqlx::query("SELECT * FROM billing.holds WHERE a = 1")"#), ["SELECT *"]);
    assert_eq!(whole_rows(r#"sqlx::query("DELETE FROM billing.holds RETURNING *")"#), ["RETURNING *"]);
    assert_eq!(whole_rows(r#"sqlx::query("SELECT b.*, c.d FROM billing.holds b JOIN x c")"#), ["b.*"]);
    assert!(whole_rows(r#"sqlx::query("SELECT b.c FROM (SELECT * FROM billing.holds) b")"#).is_empty());
    let found: Vec<_> = sources()
        .iter()
        .flat_map(|(crate_, path, text)| {
            whole_rows(text).into_iter().map(move |what| (crate_.clone(), path.clone(), what))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn http_and_grpc_are_at_the_edges() {
    for (_, path, text) in sources() {
        let inner =
            ["app", "store", "workers"].iter().any(|room| path.components().any(|part| part.as_os_str() == *room));
        if inner {
            assert!(!text.contains("axum::"), "{}: HTTP belongs to inbound/", path.display());
        }
        let store = path.components().any(|part| part.as_os_str() == "store");
        assert!(!(store && text.contains("tonic::")), "{}: gRPC belongs to inbound/ and outbound/", path.display());
    }
}

/// Use cases that ask for rows of many tenants, or of none, and so work beside `Tenants`, each with the reason. All others
/// see one tenant's rows only: a new one that takes the pool has to be written down here.
const BESIDE_TENANTS: &[(&str, &str, &[&str])] = &[
    ("accounts", "a session is found by its token, and with it the tenant", &["people/admit.rs", "people/sessions.rs"]),
    (
        "accounts",
        "who signs in, or has forgotten how, is found by his address or his link",
        &["people/log_in.rs", "people/reset_password.rs", "people/verify_email.rs"],
    ),
    (
        "accounts",
        "who comes by Google is found by his Google account or his address; where he is new, his tenant's transaction",
        &["people/begin_google.rs", "people/finish_google.rs"],
    ),
    (
        "accounts",
        "addresses and ids of people are one for the whole platform; a code says whose it is",
        &[
            "people/register.rs",
            "people/register_buyer.rs",
            "people/register_seller.rs",
            "people/invites.rs",
            "people/invitations.rs",
        ],
    ),
    ("accounts", "administrators belong to no tenant", &["people/create_admin.rs"]),
    ("accounts", "a worker tells how all buyers are reached", &["tell_contacts.rs"]),
    ("accounts", "those who run the platform see every tenant", &["list_sellers.rs"]),
    (
        "accounts",
        "one's own account, by the id that the session gave; administrators have one, too",
        &["people/change_password.rs", "people/profile.rs"],
    ),
    ("accounts", "attempts are counted for addresses, not for tenants", &["people/throttle.rs"]),
    (
        "billing",
        "holds and captures come in batches of many tenants' events, and are given back by a worker",
        &["capture_sales.rs", "mod.rs", "place_holds.rs"],
    ),
    (
        "billing",
        "the provider of card payments knows no tenants: whose a charge is, is looked up by its id; workers look at all",
        &[
            "cards/news.rs",
            "cards/remove.rs",
            "payments/attempts.rs",
            "payments/charge.rs",
            "payments/foreign_refunds.rs",
            "payments/mod.rs",
            "payments/order_refund.rs",
            "payments/recharge.rs",
            "payments/settle.rs",
            "payments/settle_refund.rs",
            "provider_events/given_up.rs",
            "provider_events/receive.rs",
            "provider_events/work_off.rs",
            "reconcile/charges.rs",
            "reconcile/disputes.rs",
            "reconcile/mod.rs",
            "reconcile/refunds.rs",
        ],
    ),
    (
        "billing",
        "messages are counted in batches of many tenants' events, and posted by a worker",
        &["usage/count.rs", "usage/post.rs", "usage/price.rs"],
    ),
    (
        "distribution",
        "events come in batches of many tenants, and workers look at all",
        &[
            "confirm_assignments.rs",
            "decide_batch.rs",
            "erase_person.rs",
            "expire_unsold.rs",
            "keep_no_longer.rs",
            "make_months.rs",
            "project_directory.rs",
            "retry_unsold.rs",
            "wallet_changes.rs",
        ],
    ),
    (
        "notifier",
        "events come in batches of many tenants, and workers look at all",
        &[
            "accept_leads.rs",
            "accept_messages.rs",
            "accept_news.rs",
            "keep_months.rs",
            "learn_buyers.rs",
            "mask_sales.rs",
            "occasions.rs",
            "record_messages.rs",
            "record_results.rs",
            "send_messages.rs",
            "sum_up_days.rs",
            "take_due.rs",
            "take_sendgrid_events.rs",
            "take_twilio.rs",
        ],
    ),
    ("notifier", "the key of all tenants' secrets is replaced by an operator", &["rotate_secrets.rs"]),
    (
        "notifier",
        "an address is dead for all who have it, and the token of a link alone says whose he is who follows it",
        &["get_preferences.rs", "unsubscribe.rs"],
    ),
    ("notifier", "whether a buyer is another tenant's can only be asked of all", &["put_endpoint.rs"]),
];

#[test]
fn who_works_beside_the_tenants_transactions_is_known() {
    let mut found = BTreeSet::new();
    for (service, path, text) in sources() {
        let below = path.strip_prefix(root().join("services").join(&service).join("src/app"));
        if let Ok(file) = below
            && text.lines().any(|line| {
                let takes = line.contains("self.pool") || line.contains("billing.pool");
                takes && !line.trim_start().starts_with("//")
            })
        {
            found.insert((service, file.to_str().unwrap().to_owned()));
        }
    }
    let known: BTreeSet<_> = BESIDE_TENANTS
        .iter()
        .flat_map(|(service, _, files)| files.iter().map(|file| ((*service).to_owned(), (*file).to_owned())))
        .collect();
    let (new, gone): (Vec<_>, Vec<_>) = (found.difference(&known).collect(), known.difference(&found).collect());
    assert!(new.is_empty(), "{new:?} see all tenants' rows: open the tenant's transaction (db::Tenants) instead");
    assert!(gone.is_empty(), "{gone:?} do not take the pool any more");
}

/// Stores whose every statement is one tenant's cannot be given anything but that tenant's transaction.
#[test]
fn stores_of_one_tenant_take_its_transaction() {
    for (service, file) in [
        ("accounts", "buyers.rs"),
        ("accounts", "suppliers.rs"),
        ("accounts", "api_keys.rs"),
        ("accounts", "sellers.rs"),
        ("billing", "credits.rs"),
        ("billing", "disputes.rs"),
        ("billing", "statement.rs"),
        ("billing", "usage_report.rs"),
        ("distribution", "configuration.rs"),
        ("distribution", "returns.rs"),
        ("distribution", "show.rs"),
        ("distribution", "catalogue/campaigns.rs"),
        ("distribution", "catalogue/leads.rs"),
        ("distribution", "catalogue/purchases.rs"),
        ("distribution", "catalogue/sums.rs"),
        ("notifier", "attempts.rs"),
        ("notifier", "message_log.rs"),
        ("notifier", "preferences.rs"),
    ] {
        let path = root().join("services").join(service).join("src/store").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("&mut TenantTx"), "{}", path.display());
        for other in ["PgConnection", "PgPool", "Transaction<"] {
            assert!(!text.contains(other), "{} takes a {other}: it would see all tenants", path.display());
        }
    }
}

/// What compares a secret that somebody shows takes the same time whatever was shown. (Keys, sessions and links are not compared:
/// they are looked up by their SHA-256.)
#[test]
fn secrets_are_compared_in_constant_time() {
    for (file, comparison) in [
        ("shared/platform/src/grpc/auth.rs", "shown.ct_eq("),
        ("services/ingest/src/app/receipt.rs", ".verify_truncated_left("),
        ("services/accounts/src/hashing.rs", ".verify_password("),
        ("services/notifier/domain/src/unsubscribe.rs", ".verify_truncated_left("),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(comparison), "{file} compares in another way");
    }
}
