//! Placing holds in one round trip, on wallets that are believed to be as they were seen last.

use std::collections::HashMap;

use chrono::NaiveDate;
use leadflow_billing_domain::{Changes, Wallet};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_messaging::outbox;
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

use super::save::HoldColumns;

/// Compare and set: the wallets are locked in id order, and unless every one of them still has all the
/// values that the decision was made by, nothing is written. A row that had to be waited for is compared
/// as its last writer left it. Paying a standing hold takes as much from the balance as from what is held,
/// so it is what is available that counts, and captures in between do no harm.
const PLACE: &str = "\
WITH assumed AS MATERIALIZED ( \
  SELECT * FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::date[], $5::numeric[], $6::date[], $7::numeric[], \
    $8::numeric[], $9::numeric[], $10::bool[], $11::text[], $12::text[]) \
    AS t(buyer_id, available, spent_week, week_start, spent_month, month_start, weekly_limit, monthly_limit, \
         threshold, open, currency, time_zone)), \
same AS MATERIALIZED ( \
  SELECT w.buyer_id, w.held FROM assumed t JOIN billing.wallets w ON w.buyer_id = t.buyer_id \
  JOIN billing.sellers s ON s.seller_id = w.seller_id \
  WHERE w.buyer_id = ANY($1) AND w.seller_id = $13 AND s.version > 0 AND (w.status = 'active' AND NOT w.suspended) = t.open \
    AND (w.balance - w.held, w.spent_week, w.week_start, w.spent_month, w.month_start, w.weekly_limit, w.monthly_limit, \
         w.low_balance_threshold, s.currency, s.time_zone) \
      IS NOT DISTINCT FROM \
        (t.available, t.spent_week, t.week_start, t.spent_month, t.month_start, t.weekly_limit, t.monthly_limit, \
         t.threshold, t.currency, t.time_zone) \
  ORDER BY w.buyer_id FOR UPDATE OF w), \
all_same AS MATERIALIZED (SELECT count(*) = cardinality($1) AS yes FROM same), \
new_holds AS ( \
  INSERT INTO billing.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, \
    week_start, month_start, ended_at, posting_id) \
  SELECT t.* FROM unnest($14::uuid[], $15::uuid[], $16::uuid[], $17::uuid[], $18::uuid[], $19::numeric[], $20::text[], \
    $21::int[], $22::timestamptz[], $23::date[], $24::date[], $25::timestamptz[], $26::uuid[]) AS t, all_same \
  WHERE all_same.yes), \
told AS ( \
  INSERT INTO billing.outbox (id, ordered, batch) \
  SELECT t.* FROM unnest($27::uuid[], $28::bool[], $29::bytea[]) AS t, all_same WHERE all_same.yes), \
moved AS ( \
  UPDATE billing.wallets w SET held = same.held + t.held, spent_week = t.spent_week, week_start = t.week_start, \
    spent_month = t.spent_month, month_start = t.month_start \
  FROM unnest($30::uuid[], $31::numeric[], $32::numeric[], $33::date[], $34::numeric[], $35::date[]) \
    AS t(buyer_id, held, spent_week, week_start, spent_month, month_start) JOIN same ON same.buyer_id = t.buyer_id, all_same \
  WHERE all_same.yes AND w.buyer_id = ANY($30) AND w.buyer_id = t.buyer_id) \
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
        .bind(column!(assumed, |wallet| wallet.available()))
        .bind(column!(assumed, |wallet| wallet.week.amount))
        .bind(column!(assumed, |wallet| wallet.week.start))
        .bind(column!(assumed, |wallet| wallet.month.amount))
        .bind(column!(assumed, |wallet| wallet.month.start))
        .bind(column!(assumed, |wallet| wallet.weekly_limit))
        .bind(column!(assumed, |wallet| wallet.monthly_limit))
        .bind(column!(assumed, |wallet| wallet.low_balance_threshold))
        .bind(column!(assumed, |wallet| wallet.takes_holds()))
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
        .bind(reserved(assumed, after))
        .bind(after.iter().map(|wallet| wallet.week.amount).collect::<Vec<Decimal>>())
        .bind(after.iter().map(|wallet| wallet.week.start).collect::<Vec<NaiveDate>>())
        .bind(after.iter().map(|wallet| wallet.month.amount).collect::<Vec<Decimal>>())
        .bind(after.iter().map(|wallet| wallet.month.start).collect::<Vec<NaiveDate>>())
        .fetch_one(pool)
        .await
}

/// By how much more of each wallet is held after than before. Every wallet that holds were placed on has changed.
fn reserved(assumed: &[Wallet], after: &[Wallet]) -> Vec<Decimal> {
    let before: HashMap<BuyerId, Decimal> = assumed.iter().map(|wallet| (wallet.buyer, wallet.held)).collect();
    after.iter().map(|wallet| wallet.held - before.get(&wallet.buyer).copied().unwrap_or_default()).collect()
}
