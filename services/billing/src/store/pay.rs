//! Turning standing holds into postings in one round trip, whatever the wallets have at that moment.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::Payment;
use sqlx::PgPool;
use uuid::Uuid;

use super::save::{EntryColumns, PostingColumns};

/// The money of a standing hold is set aside already, so what the wallet has besides does not matter: the wallets are locked in id order,
/// then the holds, and unless all of them stand at the price, on wallets of the tenant whose currency and fee the postings were made by,
/// nothing is written. Numbers and balances of statement lines come relative to the wallet's, and continue it as it is under the lock.
const PAY: &str = "\
WITH assumed AS MATERIALIZED ( \
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::numeric[], $5::numeric[], $6::bigint[]) \
    AS t(buyer_id, seller_id, currency, fee, spent, lines)), \
locked AS MATERIALIZED ( \
  SELECT w.buyer_id, w.balance, w.held, w.lines, t.spent, t.lines AS added FROM assumed t JOIN billing.wallets w ON w.buyer_id = t.buyer_id \
  JOIN billing.sellers s ON s.seller_id = w.seller_id \
  WHERE w.buyer_id = ANY($1) AND w.seller_id = t.seller_id AND s.version > 0 \
    AND s.currency = t.currency AND s.platform_fee_percent = t.fee \
  ORDER BY w.buyer_id FOR UPDATE OF w), \
sold AS MATERIALIZED ( \
  SELECT * FROM unnest($7::uuid[], $8::uuid[], $9::uuid[], $10::numeric[], $11::uuid[]) \
    AS t(hold_id, buyer_id, seller_id, amount, posting_id)), \
standing AS MATERIALIZED ( \
  SELECT h.hold_id, h.state, h.buyer_id, h.seller_id, h.amount FROM (SELECT count(*) AS n FROM locked) AS first, billing.holds h \
  WHERE first.n = cardinality($1) AND h.hold_id = ANY($7) ORDER BY h.hold_id FOR UPDATE OF h), \
all_stand AS MATERIALIZED ( \
  SELECT (SELECT count(*) FROM locked) = cardinality($1) AND cardinality($7) = \
    (SELECT count(*) FROM sold t JOIN standing h USING (hold_id, buyer_id, seller_id, amount) WHERE h.state = 'held') AS yes), \
captured AS ( \
  UPDATE billing.holds h SET state = 'captured', ended_at = $12, posting_id = t.posting_id FROM sold t, all_stand \
  WHERE all_stand.yes AND h.hold_id = ANY($7) AND h.hold_id = t.hold_id), \
postings AS ( \
  INSERT INTO billing.postings (posting_id, kind, seller_id, assignment_id, at, description) \
  SELECT t.* FROM unnest($13::uuid[], $14::text[], $15::uuid[], $16::uuid[], $17::timestamptz[], $18::text[]) AS t, all_stand \
  WHERE all_stand.yes), \
entries AS ( \
  INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
  SELECT t.posting_id, t.line, t.account_id, t.amount, l.lines + t.number, l.balance - l.spent + t.balance \
  FROM unnest($19::uuid[], $20::smallint[], $21::uuid[], $22::numeric[], $23::bigint[], $24::numeric[], $25::uuid[]) \
    AS t(posting_id, line, account_id, amount, number, balance, buyer_id) LEFT JOIN locked l ON l.buyer_id = t.buyer_id, all_stand \
  WHERE all_stand.yes), \
moved AS ( \
  UPDATE billing.wallets w SET balance = l.balance - l.spent, held = l.held - l.spent, lines = l.lines + l.added \
  FROM locked l, all_stand \
  WHERE all_stand.yes AND w.buyer_id = ANY($1) AND w.buyer_id = l.buyer_id) \
SELECT yes FROM all_stand";

/// Captures the holds and writes the postings, if every hold stands at its price; all or nothing, and committed when it
/// returns. False: one does not, or the tenant's terms are others; nothing was written.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn if_all_stand(pool: &PgPool, payment: &Payment, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    macro_rules! column {
        ($rows:expr, |$row:ident| $value:expr) => {
            $rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let Payment { changes, spent } = payment;
    let (wallets, holds) = (&changes.wallets, &changes.changed_holds);
    let postings = PostingColumns::of(&changes.postings);
    let entries = EntryColumns::of(&changes.postings);
    sqlx::query_scalar(PAY)
        .bind(column!(wallets, |wallet| wallet.buyer.uuid()))
        .bind(column!(wallets, |wallet| wallet.seller.uuid()))
        .bind(column!(wallets, |wallet| wallet.terms.currency.code().to_owned()))
        .bind(column!(wallets, |wallet| wallet.terms.fee_percent))
        .bind(spent)
        .bind(column!(wallets, |wallet| wallet.lines))
        .bind(column!(holds, |hold| hold.id.uuid()))
        .bind(column!(holds, |hold| hold.buyer.uuid()))
        .bind(column!(holds, |hold| hold.seller.uuid()))
        .bind(column!(holds, |hold| hold.amount))
        .bind(column!(holds, |hold| hold.posting.map(Uuid::from)))
        .bind(now)
        .bind(postings.ids)
        .bind(postings.kinds)
        .bind(postings.sellers)
        .bind(postings.assignments)
        .bind(postings.times)
        .bind(postings.descriptions)
        .bind(entries.postings)
        .bind(entries.lines)
        .bind(entries.accounts)
        .bind(entries.amounts)
        .bind(entries.numbers)
        .bind(entries.balances)
        .bind(entries.buyers)
        .fetch_one(pool)
        .await
}
