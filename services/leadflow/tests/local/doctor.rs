//! `leadflow doctor`: each thing that may be wrong is one line that says how to mend it.

use std::time::Duration;

use leadflow_testkit::{TestDb, servers::Signal, wait};

use crate::machine::Machine;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_is_set_wrong_is_told_with_the_setting() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let healthy = machine.run(&["doctor"]);
    healthy.succeeded();
    assert!(healthy.out.contains("All is well."), "{}", healthy.out);

    let other_key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";
    for (setting, value, what, found, mend) in [
        (
            "DATABASE_URL",
            "postgres://postgres@127.0.0.1:1/x",
            "PostgreSQL",
            "cannot be reached (DATABASE_URL)",
            "DATABASE_URL",
        ),
        (
            "BILLING_DATABASE_URL",
            "postgres://postgres@127.0.0.1:1/x",
            "PostgreSQL",
            "(BILLING_DATABASE_URL)",
            "BILLING_DATABASE_URL",
        ),
        ("NATS_URL", "nats://127.0.0.1:1", "NATS", "cannot reach NATS (setting NATS_URL)", "NATS_URL"),
        (
            "SERVICE_TOKEN",
            "not-the-one-they-have",
            "SERVICE_TOKEN",
            "accounts, billing, distribution, notifier",
            "SERVICE_TOKEN",
        ),
        ("SERVICE_TOKEN", "short", "SERVICE_TOKEN", "at least 16 characters", "set it"),
        ("SECRETS_KEY", other_key, "SECRETS_KEY", "encrypted with another key", "set SECRETS_KEY"),
        ("SECRETS_KEY", "nonsense", "SECRETS_KEY", "base64 of 32 bytes", "openssl rand"),
        ("NATS_SYNC", "sometimes", "settings", "NATS_SYNC", "set it right"),
        ("SMTP_PORT", "1", "mail", "127.0.0.1:1 cannot be reached", "start the mail server"),
        ("SMTP_FROM", "nobody", "mail", "the sender must be an address", "set it right"),
        ("TWILIO_API_BASE", "twilio", "text messages", "TWILIO_API_BASE must be", "set it right"),
        ("SMS_PER_SECOND", "many", "text messages", "SMS_PER_SECOND", "set it right"),
        ("USAGE_SMS_COST", "EUR 1, EUR 2", "messages' prices", "USAGE_SMS_COST must be costs such as", "set it right"),
        ("BILLING_HTTP_PORT", "1", "billing", "does not answer on port 1 (BILLING_HTTP_PORT)", "make up"),
    ] {
        let doctor = machine.run_with(&["doctor"], &[(setting, value)]);
        let told = if setting == "SERVICE_TOKEN" && value == "short" {
            // Too short, and so not the one that they have.
            doctor.wrongs().join("\n")
        } else {
            let (told, how) = doctor.wrong(what);
            assert!(how.contains(mend), "{setting}: {how}");
            told
        };
        assert!(told.contains(found), "{setting}: {told}");
    }
}

#[tokio::test]
async fn a_tenant_whose_messages_have_no_price_is_told_of() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    let elsewhere = [("DATABASE_URL", url.as_str())];
    machine.run_with(&["migrate"], &elsewhere).succeeded();
    sqlx::query(
        "INSERT INTO billing.sellers (seller_id, version, currency, time_zone, platform_fee_percent) \
         VALUES (gen_random_uuid(), 1, 'EUR', 'UTC', 0), (gen_random_uuid(), 1, 'USD', 'UTC', 0)",
    )
    .execute(db.pool())
    .await
    .expect("tenants");
    let doctor = machine.run_with(&["doctor"], &elsewhere);
    doctor.succeeded();
    for kind in ["email", "sms", "webhook"] {
        let told = format!("{kind}: no price in EUR (1 tenant)");
        assert!(doctor.out.contains(&told) && doctor.out.contains("see the warnings"), "{}", doctor.out);
    }
    let both = "USD 0.001, EUR 0.001";
    let settings = [("USAGE_EMAIL_COST", both), ("USAGE_SMS_COST", both), ("USAGE_WEBHOOK_COST", both)];
    let doctor = machine.run_with(&["doctor"], &[&elsewhere[..], &settings].concat());
    assert!(!doctor.out.contains("no price"), "{}", doctor.out);
}

#[tokio::test]
async fn missing_migrations_are_told_with_the_command_that_applies_them() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    let elsewhere = [("DATABASE_URL", url.as_str())];
    let doctor = machine.run_with(&["doctor"], &elsewhere);
    for schema in ["accounts", "billing", "distribution", "notifier"] {
        let (found, mend) = doctor.wrong(&format!("schema {schema}"));
        assert!(found.contains("missing") && mend.contains("leadflow migrate"), "{found}; {mend}");
    }
    machine.run_with(&["migrate"], &elsewhere).succeeded();
    machine.run_with(&["doctor"], &elsewhere).succeeded();

    let detach = "ALTER TABLE distribution.leads DETACH PARTITION distribution.leads_first";
    sqlx::query(detach).execute(db.pool()).await.expect("detached");
    let (found, mend) = machine.run_with(&["doctor"], &elsewhere).wrong("schema distribution");
    assert!(found.contains("no partition") && mend.contains("leadflow migrate"), "{found}; {mend}");
    machine.run_with(&["migrate"], &elsewhere).succeeded();
    machine.run_with(&["doctor"], &elsewhere).succeeded();

    sqlx::query(
        "DELETE FROM billing._sqlx_migrations WHERE version = (SELECT max(version) FROM billing._sqlx_migrations)",
    )
    .execute(db.pool())
    .await
    .expect("forgotten");
    let (found, _) = machine.run_with(&["doctor"], &elsewhere).wrong("schema billing");
    assert_eq!(found, "one migration is missing");
    sqlx::query("UPDATE notifier._sqlx_migrations SET checksum = '\\x00'").execute(db.pool()).await.expect("changed");
    let (found, mend) = machine.run_with(&["doctor"], &elsewhere).wrong("schema notifier");
    assert!(found.contains("another version") && mend.contains("that version"), "{found}; {mend}");
}

#[tokio::test]
async fn what_is_away_is_told_with_the_command_that_starts_it() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    for (program, what, found) in [
        ("billing", "billing", "does not answer on port"),
        ("nats", "NATS", "cannot reach NATS"),
        ("postgresql", "PostgreSQL", "cannot be reached (DATABASE_URL)"),
    ] {
        let process = machine.process(program);
        process.signal(Signal::Kill);
        wait::until(format!("{program} ends"), LIMIT, async || !process.is_alive()).await;
        let (told, mend) = machine.run(&["doctor"]).wrong(what);
        assert!(told.contains(found), "{told}");
        assert!(mend.starts_with("make up starts it"), "{mend}");
    }
    machine.run(&["up"]).succeeded();
    machine.run(&["doctor"]).succeeded();
}
