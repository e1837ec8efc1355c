//! A past: leads sold weeks ago, with everything that was written for each of them.

use anyhow::Context as _;
use sqlx::PgPool;

/// Leads written at a time.
const CHUNK: i64 = 100_000;

/// One lead that was really sold, as the pattern of the old ones, and the wallet that pays for them.
const PATTERN: &str = "CREATE TABLE bench_pattern AS \
    SELECT l.*, a.assignment_id, a.buyer_id, a.subscription_id, a.price AS paid, h.posting_id, d.delivery_id, d.endpoint_id, \
        d.payload, w.lines, w.balance \
    FROM distribution.leads l JOIN distribution.assignments a USING (lead_id) \
    JOIN billing.holds h ON h.hold_id = a.assignment_id JOIN notifier.deliveries d USING (assignment_id) \
    JOIN billing.wallets w ON w.buyer_id = a.buyer_id \
    WHERE l.outcome = 2 AND l.buyers_assigned = 1 AND l.campaign_id = $1 LIMIT 1";

/// `$1` and `$2`: the first and the last number of the chunk.
const OLD: &str = "CREATE TABLE bench_old AS SELECT n, gen_random_uuid() AS lead_id, gen_random_uuid() AS assignment_id, \
    gen_random_uuid() AS posting_id, gen_random_uuid() AS delivery_id, now() - interval '40 days' - n * interval '1 second' AS at \
    FROM generate_series($1, $2) AS n";

const ROWS: [&str; 8] = [
    "INSERT INTO distribution.leads (lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, decided_at, outcome, test, \
     buyers_assigned, price, currency, reason, state, quality, reference, body_hash, data, trace) \
     SELECT o.lead_id, p.seller_id, p.supplier_id, p.campaign_id, p.category_id, o.at, o.at, 2, false, 1, p.price, p.currency, \
     p.reason, p.state, p.quality, '', p.body_hash, \
     replace(replace(p.data::text, p.data->>'email', 'old' || o.n || '@example.com'), p.data->>'phone', '+1' || 3002000000 + o.n)::json, \
     p.trace FROM bench_old o, bench_pattern p",
    "INSERT INTO distribution.lead_fingerprints (campaign_id, fingerprint, lead_id, seen_at) \
     SELECT p.campaign_id, gen_random_uuid(), o.lead_id, o.at FROM bench_old o, bench_pattern p, generate_series(1, 2)",
    "INSERT INTO distribution.assignments (assignment_id, lead_id, buyer_id, subscription_id, campaign_id, seller_id, price, currency, \
     assigned_at) SELECT o.assignment_id, o.lead_id, p.buyer_id, p.subscription_id, p.campaign_id, p.seller_id, p.paid, p.currency, o.at \
     FROM bench_old o, bench_pattern p",
    "INSERT INTO billing.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, week_start, \
     month_start, ended_at, posting_id) SELECT o.assignment_id, p.buyer_id, p.seller_id, o.lead_id, p.campaign_id, p.paid, 'captured', \
     1, o.at, date_trunc('week', o.at)::date, date_trunc('month', o.at)::date, o.at, o.posting_id FROM bench_old o, bench_pattern p",
    "INSERT INTO billing.postings (posting_id, kind, seller_id, assignment_id, at, description) \
     SELECT o.posting_id, q.kind, q.seller_id, o.assignment_id, o.at, q.description \
     FROM bench_old o, bench_pattern p JOIN billing.postings q USING (posting_id)",
    "INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
     SELECT o.posting_id, e.line, e.account_id, e.amount, CASE WHEN e.number IS NOT NULL THEN p.lines + o.n END, \
     CASE WHEN e.number IS NOT NULL THEN p.balance - p.paid * o.n END \
     FROM bench_old o, bench_pattern p JOIN billing.entries e USING (posting_id)",
    "INSERT INTO notifier.deliveries (delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, payload, status, \
     attempts_made, created_at, ended_at) SELECT o.delivery_id, p.seller_id, p.buyer_id, o.lead_id, o.assignment_id, p.endpoint_id, \
     p.payload, 'DELIVERED', 1, o.at, o.at FROM bench_old o, bench_pattern p",
    "INSERT INTO notifier.attempts (delivery_id, number, started_at, duration_ms, status_code, error, response) \
     SELECT delivery_id, 1, at, 5, 200, '', '' FROM bench_old",
];

/// Adds so many leads of this campaign, sold forty days ago and earlier to one of its buyers, with their
/// fingerprints, assignments, holds, postings, statement lines, deliveries and attempts.
///
/// # Errors
/// When the database refuses.
pub async fn sold_leads(pool: &PgPool, campaign: sqlx::types::Uuid, count: i64) -> anyhow::Result<()> {
    sqlx::query("DROP TABLE IF EXISTS bench_pattern").execute(pool).await?;
    // CREATE TABLE AS takes no parameter where its type cannot be known; this one's is clear.
    sqlx::query(sqlx::AssertSqlSafe(PATTERN.replace("$1", &format!("'{campaign}'")))).execute(pool).await?;
    let mut first = 1;
    while first <= count {
        let last = (first + CHUNK - 1).min(count);
        let mut transaction = pool.begin().await?;
        let old = OLD.replace("$1", &first.to_string()).replace("$2", &last.to_string());
        sqlx::query(sqlx::AssertSqlSafe(old)).execute(&mut *transaction).await?;
        for statement in ROWS {
            let short = || statement.chars().take(50).collect::<String>();
            sqlx::query(statement).execute(&mut *transaction).await.with_context(short)?;
        }
        sqlx::query("DROP TABLE bench_old").execute(&mut *transaction).await?;
        transaction.commit().await?;
        first = last + 1;
    }
    sqlx::query(
        "UPDATE billing.wallets w SET balance = w.balance - p.paid * $1, lines = w.lines + $1 FROM bench_pattern p \
         WHERE p.buyer_id = w.buyer_id",
    )
    .bind(count)
    .execute(pool)
    .await?;
    sqlx::raw_sql("DROP TABLE bench_pattern; ANALYZE; CHECKPOINT").execute(pool).await?;
    Ok(())
}
