//! Placing holds in one round trip, on wallets that are believed to be as they were seen last.

use chrono::NaiveDate;
use leadflow_billing_domain::{Changes, Wallet};
use leadflow_kernel::SellerId;
use leadflow_messaging::outbox;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

use super::save::HoldColumns;

/// Compare and set: the wallets are locked in id order, and unless every one of them still has all the
/// values that the decision was made by, nothing is written. A row that had to be waited for is compared
/// as its last writer left it.
const PLACE: &str = "\
WITH assumed AS MATERIALIZED ( \
  SELECT * FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::numeric[], $5::date[], $6::numeric[], $7::date[], \
    $8::numeric[], $9::numeric[], $10::numeric[], $11::bool[], $12::bigint[], $13::text[], $14::text[]) \
    AS t(buyer_id, balance, held, spent_week, week_start, spent_month, month_start, weekly_limit, monthly_limit, \
         threshold, open, lines, currency, time_zone)), \
same AS MATERIALIZED ( \
  SELECT w.buyer_id FROM assumed t JOIN billing.wallets w ON w.buyer_id = t.buyer_id \
  JOIN billing.sellers s ON s.seller_id = w.seller_id \
  WHERE w.buyer_id = ANY($1) AND w.seller_id = $15 AND s.version > 0 AND (w.status = 'active') = t.open \
    AND (w.balance, w.held, w.spent_week, w.week_start, w.spent_month, w.month_start, w.weekly_limit, w.monthly_limit, \
         w.low_balance_threshold, w.lines, s.currency, s.time_zone) \
      IS NOT DISTINCT FROM \
        (t.balance, t.held, t.spent_week, t.week_start, t.spent_month, t.month_start, t.weekly_limit, t.monthly_limit, \
         t.threshold, t.lines, t.currency, t.time_zone) \
  ORDER BY w.buyer_id FOR UPDATE OF w), \
all_same AS MATERIALIZED (SELECT count(*) = cardinality($1) AS yes FROM same), \
new_holds AS ( \
  INSERT INTO billing.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, \
    week_start, month_start, ended_at, posting_id) \
  SELECT t.* FROM unnest($16::uuid[], $17::uuid[], $18::uuid[], $19::uuid[], $20::uuid[], $21::numeric[], $22::text[], \
    $23::int[], $24::timestamptz[], $25::date[], $26::date[], $27::timestamptz[], $28::uuid[]) AS t, all_same \
  WHERE all_same.yes), \
told AS ( \
  INSERT INTO billing.outbox (id, ordered, batch) \
  SELECT t.* FROM unnest($29::uuid[], $30::bool[], $31::bytea[]) AS t, all_same WHERE all_same.yes), \
moved AS ( \
  UPDATE billing.wallets w SET held = t.held, spent_week = t.spent_week, week_start = t.week_start, \
    spent_month = t.spent_month, month_start = t.month_start \
  FROM unnest($32::uuid[], $33::numeric[], $34::numeric[], $35::date[], $36::numeric[], $37::date[]) \
    AS t(buyer_id, held, spent_week, week_start, spent_month, month_start), all_same \
  WHERE all_same.yes AND w.buyer_id = ANY($32) AND w.buyer_id = t.buyer_id) \
SELECT yes FROM all_same";

/// Writes new holds with their wallets and events, if the wallets are as `assumed`; all or nothing, and
/// committed when it returns. False: they are not, and nothing was written.
///
/// # Errors
/// Those of PostgreSQL; a unique violation when one of the holds exists.
pub async fn if_unchanged(
    pool: &PgPool,
    tenant: SellerId,
    assumed: &[Wallet],
    changes: &Changes,
    told: &outbox::Rows,
) -> Result<bool, sqlx::Error> {
    macro_rules! column {
        ($wallets:expr, |$wallet:ident| $value:expr) => {
            $wallets.iter().map(|$wallet| $value).collect::<Vec<_>>()
        };
    }
    let (new, after) = (&changes.new_holds, &changes.wallets);
    let holds = HoldColumns::of(new);
    sqlx::query_scalar(PLACE)
        .bind(column!(assumed, |wallet| wallet.buyer.uuid()))
        .bind(column!(assumed, |wallet| wallet.balance))
        .bind(column!(assumed, |wallet| wallet.held))
        .bind(column!(assumed, |wallet| wallet.week.amount))
        .bind(column!(assumed, |wallet| wallet.week.start))
        .bind(column!(assumed, |wallet| wallet.month.amount))
        .bind(column!(assumed, |wallet| wallet.month.start))
        .bind(column!(assumed, |wallet| wallet.weekly_limit))
        .bind(column!(assumed, |wallet| wallet.monthly_limit))
        .bind(column!(assumed, |wallet| wallet.low_balance_threshold))
        .bind(column!(assumed, |wallet| wallet.open))
        .bind(column!(assumed, |wallet| wallet.lines))
        .bind(column!(assumed, |wallet| wallet.terms.currency.code().to_owned()))
        .bind(column!(assumed, |wallet| wallet.terms.time_zone.name()))
        .bind(tenant.uuid())
        .bind(holds.ids)
        .bind(new.iter().map(|hold| hold.buyer.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.seller.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.lead.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.campaign.uuid()).collect::<Vec<Uuid>>())
        .bind(holds.amounts)
        .bind(holds.states)
        .bind(holds.attempts)
        .bind(holds.placed)
        .bind(holds.weeks)
        .bind(holds.months)
        .bind(holds.ended)
        .bind(holds.postings)
        .bind(&told.ids)
        .bind(&told.ordered)
        .bind(&told.batches)
        .bind(column!(after, |wallet| wallet.buyer.uuid()))
        .bind(after.iter().map(|wallet| wallet.held).collect::<Vec<Decimal>>())
        .bind(after.iter().map(|wallet| wallet.week.amount).collect::<Vec<Decimal>>())
        .bind(after.iter().map(|wallet| wallet.week.start).collect::<Vec<NaiveDate>>())
        .bind(after.iter().map(|wallet| wallet.month.amount).collect::<Vec<Decimal>>())
        .bind(after.iter().map(|wallet| wallet.month.start).collect::<Vec<NaiveDate>>())
        .fetch_one(pool)
        .await
}
