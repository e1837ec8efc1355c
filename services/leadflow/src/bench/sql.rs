//! The raw limit of the database: the rows that the services wrote for their leads, written again by
//! plain SQL, in the same batches and the same transactions, without anything else in between.
//!
//! The rows are kept in the server beforehand, so that writing them costs no way over the network:
//! no service could be that fast. Each transaction is one round trip.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool, types::Uuid};
use tokio::{task::JoinSet, time::Instant};

/// Leads in a transaction.
const BATCH: i64 = 256;

/// Tables of which rows are copied: where they are, and how a lead's rows are found.
const COPIED: [(&str, &str); 8] = [
    ("distribution.leads", "USING (lead_id)"),
    ("distribution.assignments", "USING (lead_id)"),
    ("distribution.lead_fingerprints", "USING (lead_id)"),
    ("billing.holds", "USING (lead_id)"),
    ("billing.postings", "ON t.assignment_id = p.assignment_id"),
    ("billing.entries", "ON t.posting_id = p.posting_id"),
    ("notifier.deliveries", "USING (lead_id)"),
    ("distribution.lead_ids", "USING (lead_id)"),
];

/// Tables that are copied whole and then changed.
const CHANGED: [&str; 3] = ["billing.wallets", "distribution.campaign_routing", "distribution.subscription_rotation"];

/// Makes `bench`: the rows of the last `leads` leads sold in these campaigns, cut into batches, and empty tables like
/// those that hold them. Returns how many batches there are.
///
/// # Errors
/// When the database refuses.
pub async fn prepare(pool: &PgPool, leads: i64, campaigns: &[Uuid]) -> anyhow::Result<i64> {
    let campaigns = campaigns.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    let run = async |text: String| sqlx::raw_sql(AssertSqlSafe(text)).execute(pool).await;
    run("DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench".to_owned()).await?;
    run(format!(
        "CREATE TABLE bench.pick AS SELECT l.lead_id, a.assignment_id, h.posting_id, \
         (row_number() OVER (ORDER BY l.received_at, l.lead_id) - 1) / {BATCH} AS n \
         FROM (SELECT lead_id, received_at FROM distribution.leads WHERE outcome = 2 AND campaign_id IN ({campaigns}) \
         ORDER BY received_at DESC LIMIT {leads}) l \
         JOIN distribution.assignments a USING (lead_id) JOIN billing.holds h ON h.hold_id = a.assignment_id; \
         ANALYZE bench.pick"
    ))
    .await?;
    for (table, join) in COPIED {
        let name = table.split('.').next_back().unwrap_or(table);
        run(format!(
            "CREATE TABLE bench.src_{name} AS SELECT p.n AS bench_n, t.* FROM bench.pick p JOIN {table} t {join}; \
             CREATE INDEX ON bench.src_{name} (bench_n); ANALYZE bench.src_{name}; \
             CREATE TABLE bench.{name} (LIKE {table} INCLUDING ALL)"
        ))
        .await?;
    }
    // Which each of its partitions has.
    run("ALTER TABLE bench.leads ADD PRIMARY KEY (lead_id)".to_owned()).await?;
    for table in CHANGED {
        let name = table.split('.').next_back().unwrap_or(table);
        run(format!(
            "CREATE TABLE bench.{name} (LIKE {table} INCLUDING ALL); INSERT INTO bench.{name} SELECT * FROM {table}; \
             ANALYZE bench.{name}"
        ))
        .await?;
    }
    // As they were written at first: what became of them later is another matter.
    run("UPDATE bench.src_deliveries SET status = 'PENDING', attempts_made = 0, due_at = created_at + interval '65 seconds', \
         lease = md5('l' || bench_n)::uuid, ended_at = NULL"
        .to_owned())
    .await?;
    run("VACUUM (ANALYZE) bench.src_deliveries".to_owned()).await?;
    run("CREATE TABLE bench.outbox (LIKE distribution.outbox INCLUDING ALL); \
         CREATE TRIGGER entries_balance AFTER INSERT ON bench.entries REFERENCING NEW TABLE AS written \
         FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unbalanced(); CHECKPOINT"
        .to_owned())
    .await?;
    Ok(sqlx::query_scalar("SELECT coalesce(max(n) + 1, 0)::int8 FROM bench.pick").fetch_one(pool).await?)
}

/// Writes all batches with so many connections. Returns the leads a second.
///
/// # Errors
/// When the database refuses.
pub async fn write(pool: &PgPool, batches: i64, connections: i64) -> anyhow::Result<f64> {
    let columns = columns(pool).await?;
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..connections {
        let (pool, columns) = (pool.clone(), columns.clone());
        writers.spawn(async move {
            let mut connection = pool.acquire().await?;
            for batch in (writer..batches).step_by(usize::try_from(connections).unwrap_or(1)) {
                for transaction in transactions(batch, &columns) {
                    sqlx::raw_sql(AssertSqlSafe(transaction)).execute(&mut *connection).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let took: Duration = began.elapsed();
    let leads: i64 = sqlx::query_scalar("SELECT count(*) FROM bench.leads").fetch_one(pool).await?;
    Ok(leads as f64 / took.as_secs_f64())
}

/// Empties what was written, for another run.
///
/// # Errors
/// When the database refuses.
pub async fn again(pool: &PgPool) -> anyhow::Result<()> {
    let names: Vec<String> =
        COPIED.iter().map(|(table, _)| format!("bench.{}", table.split('.').next_back().unwrap_or(table))).collect();
    let text = format!("TRUNCATE {}, bench.outbox; CHECKPOINT", names.join(", "));
    sqlx::raw_sql(AssertSqlSafe(text)).execute(pool).await?;
    Ok(())
}

/// The columns of each copied table, in the order of [`COPIED`].
async fn columns(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for (table, _) in COPIED {
        let (schema, name) = table.split_once('.').unwrap_or(("public", table));
        all.push(
            sqlx::query_scalar(
                "SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) \
                 FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
            )
            .bind(schema)
            .bind(name)
            .fetch_one(pool)
            .await?,
        );
    }
    Ok(all)
}

/// What the services do with a batch: decide, hold, capture, write deliveries.
fn transactions(n: i64, columns: &[String]) -> [String; 4] {
    let copy = |index: usize| {
        let name = COPIED[index].0.split('.').next_back().unwrap_or_default();
        let list = &columns[index];
        format!("INSERT INTO bench.{name} ({list}) SELECT {list} FROM bench.src_{name} WHERE bench_n = {n};")
    };
    let sums = format!(
        "(SELECT buyer_id, sum(amount) AS sum, count(*) AS count FROM bench.src_holds WHERE bench_n = {n} GROUP BY 1)"
    );
    let locked = format!(
        "SELECT buyer_id FROM bench.wallets WHERE buyer_id IN (SELECT buyer_id FROM bench.src_holds WHERE bench_n = {n}) \
         ORDER BY buyer_id FOR UPDATE;"
    );
    // As large as the events of a batch.
    let outbox_bytes = 700 * BATCH;
    [
        format!(
            "BEGIN; SELECT campaign_id FROM bench.campaign_routing WHERE campaign_id IN \
             (SELECT campaign_id FROM bench.src_leads WHERE bench_n = {n}) ORDER BY campaign_id FOR UPDATE; {} {} {} {} \
             UPDATE bench.subscription_rotation SET last_served = last_served + 1, sold_today = sold_today + 1 WHERE subscription_id IN \
             (SELECT subscription_id FROM bench.src_assignments WHERE bench_n = {n}); \
             UPDATE bench.campaign_routing SET next_seq = next_seq + {BATCH} WHERE campaign_id IN \
             (SELECT campaign_id FROM bench.src_leads WHERE bench_n = {n}); \
             INSERT INTO bench.outbox (id, ordered, batch, retry_at) VALUES \
             (md5('o{n}')::uuid, false, convert_to(repeat('x', {outbox_bytes}), 'UTF8'), now()); COMMIT",
            copy(0),
            copy(7),
            copy(2),
            copy(1)
        ),
        format!(
            "BEGIN; {locked} UPDATE bench.wallets w SET held = held + s.sum, spent_week = spent_week + s.sum, \
             spent_month = spent_month + s.sum FROM {sums} s WHERE s.buyer_id = w.buyer_id; \
             INSERT INTO bench.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, \
             week_start, month_start) SELECT hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, 'held', attempts, \
             placed_at, week_start, month_start FROM bench.src_holds WHERE bench_n = {n}; COMMIT"
        ),
        format!(
            "BEGIN; DELETE FROM bench.outbox WHERE id = md5('o{n}')::uuid; {locked} \
             UPDATE bench.holds h SET state = 'captured', ended_at = s.ended_at, posting_id = s.posting_id \
             FROM bench.src_holds s WHERE s.bench_n = {n} AND s.hold_id = h.hold_id; \
             UPDATE bench.wallets w SET held = held - s.sum, balance = balance - s.sum, lines = lines + s.count \
             FROM {sums} s WHERE s.buyer_id = w.buyer_id; {} {} COMMIT",
            copy(4),
            copy(5)
        ),
        format!("BEGIN; {} COMMIT", copy(6)),
    ]
}
