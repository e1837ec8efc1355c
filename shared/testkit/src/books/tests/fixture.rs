//! A small database in which everything is right: one seller, two buyers, a round-robin and a
//! broadcast campaign, and one lead of every fate.

use std::path::Path;

use leadflow_kernel::{Id, Kind, LeadId, PaymentId, RefundId};
use rust_decimal::Decimal;
use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    TestDb,
    books::{
        Answer, Answered, Expectations, StripeCharge, StripeDispute, StripeRecord, StripeRefund, sent::counted_as,
    },
};

/// The same made-up id every time; SQL of the fixture writes it as `'<noun>-<number>'`.
pub(super) trait Made {
    fn made(noun: &str, number: u32) -> Self;
}

impl<K: Kind> Made for Id<K> {
    fn made(noun: &str, number: u32) -> Self {
        Self::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{noun}-{number}").as_bytes()))
    }
}

pub(super) fn id<I: Made>(noun: &str, number: u32) -> I {
    I::made(noun, number)
}

/// A migrated database with right books.
pub(super) async fn books() -> TestDb {
    let mut migrators = migrators().await;
    migrators.push(step("right", &with_ids(include_str!("right.sql"))));
    TestDb::create(&migrators.iter().collect::<Vec<_>>()).await.unwrap()
}

/// The same, without the constraints and triggers that would refuse what is planted.
pub(super) async fn loose_books() -> TestDb {
    let mut migrators = migrators().await;
    migrators.push(step("right", &with_ids(include_str!("right.sql"))));
    migrators.push(step("loose", include_str!("loose.sql")));
    TestDb::create(&migrators.iter().collect::<Vec<_>>()).await.unwrap()
}

async fn migrators() -> Vec<Migrator> {
    let mut migrators = Vec::new();
    for schema in ["accounts", "billing", "distribution", "notifier"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(schema);
        let mut migrator = Migrator::new(folder.as_path()).await.unwrap();
        migrator.dangerous_set_table_name(format!("{schema}._sqlx_migrations"));
        migrator.create_schema(schema);
        migrators.push(migrator);
    }
    migrators
}

/// SQL as a migration, so that it is part of the template that databases are copied from.
fn step(name: &'static str, sql: &str) -> Migrator {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let mut migrator =
        Migrator::with_migrations(vec![Migration::new(1, name.into(), MigrationType::Simple, sql, false)]);
    migrator.dangerous_set_table_name(format!("public.books_{name}"));
    migrator
}

/// Runs SQL in which `'lead-1'` and the like stand for made-up ids.
pub(super) async fn run(pool: &sqlx::PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(with_ids(sql))).execute(pool).await.unwrap();
}

fn with_ids(sql: &str) -> String {
    let mut text = String::new();
    for (place, part) in sql.split('\'').enumerate() {
        // Every second part is a quoted text.
        let made = part.split_once('-').filter(|(noun, number)| {
            place % 2 == 1 && noun.bytes().all(|b| b.is_ascii_lowercase()) && number.parse::<u32>().is_ok()
        });
        if place > 0 {
            text.push('\'');
        }
        match made {
            // What a message is counted as: 'counteddlv-1'.
            Some((noun, number)) if noun.starts_with("counted") => {
                let of = noun.trim_start_matches("counted");
                let what = match of {
                    "dlv" => "webhook",
                    "evt" => "mail",
                    _ => "message",
                };
                let id = id::<LeadId>(of, number.parse().unwrap()).uuid();
                text.push_str(&counted_as(what, id).to_string());
            }
            Some((noun, number)) => {
                text.push_str(&id::<LeadId>(noun, number.parse().unwrap()).uuid().to_string());
            }
            None => text.push_str(part),
        }
    }
    text
}

/// What was answered for the leads of the fixture.
pub(super) fn expectations() -> Expectations {
    let price = |cents| Decimal::new(cents, 2);
    let answers = [
        (1, Answered::Distributed { buyers: 1, price: price(2500) }),
        (2, Answered::Distributed { buyers: 2, price: price(2000) }),
        (3, Answered::Unsold),
        (4, Answered::Rejected { reason: "duplicate".into() }),
        (5, Answered::Unsold),
        (6, Answered::Test),
        (7, Answered::Pending),
    ];
    let answers =
        answers.into_iter().map(|(number, answered)| Answer { lead_id: id("lead", number), answered }).collect();
    Expectations { answers, stripe: Some(stripe()), ..Expectations::settled() }
}

/// A made-up id as the fixture's SQL writes it where a text is stored.
pub(super) fn text(noun: &str, number: u32) -> String {
    id::<LeadId>(noun, number).uuid().to_string()
}

/// What Stripe has of it; besides that, a decline, and a refund that it refused.
pub(super) fn stripe() -> StripeRecord {
    let charge = |number, amount, refunded, status: &str| StripeCharge {
        id: format!("ch_{number}"),
        intent: text("pi", number),
        amount,
        refunded,
        currency: "usd".into(),
        status: status.into(),
        metadata: [("payment_id".to_owned(), id::<PaymentId>("pay", number).to_string())].into(),
    };
    let dispute = |number, intent, amount, status: &str| StripeDispute {
        id: text("dp", number),
        intent: text("pi", intent),
        amount,
        currency: "usd".into(),
        status: status.into(),
    };
    let refund = StripeRefund {
        id: "re_1".into(),
        intent: text("pi", 1),
        amount: 3_000,
        currency: "usd".into(),
        status: "succeeded".into(),
        metadata: [("refund_id".to_owned(), id::<RefundId>("refund", 1).to_string())].into(),
    };
    StripeRecord {
        charges: vec![
            charge(1, 10_000, 3_000, "succeeded"),
            charge(2, 6_000, 0, "succeeded"),
            charge(3, 4_000, 0, "failed"),
        ],
        refunds: vec![refund],
        disputes: vec![dispute(1, 2, 6_000, "lost"), dispute(2, 1, 2_000, "needs_response")],
    }
}
