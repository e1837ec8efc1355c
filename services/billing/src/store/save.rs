//! Writing what was decided: two statements, whatever the size of the batch.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{Changes, Hold, Posting, Wallet};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::holds::state_name;

/// New holds are plainly inserted: their wallet is locked and they were looked for after that, so
/// only an id used for two wallets at once can collide, and then one of the two must fail. The
/// wallets' rows are locked already, so the order of their update cannot matter.
const SAVE_HOLDS: &str = "\
WITH new_holds AS ( \
  INSERT INTO billing.holds (hold_id, buyer_id, seller_id, lead_id, campaign_id, amount, state, attempts, placed_at, \
    week_start, month_start, ended_at, posting_id) \
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::numeric[], $7::text[], \
    $8::int[], $9::timestamptz[], $10::date[], $11::date[], $12::timestamptz[], $13::uuid[])), \
changed_holds AS ( \
  UPDATE billing.holds h SET amount = t.amount, state = t.state, attempts = t.attempts, placed_at = t.placed_at, \
    week_start = t.week_start, month_start = t.month_start, ended_at = t.ended_at, posting_id = t.posting_id \
  FROM unnest($14::uuid[], $15::numeric[], $16::text[], $17::int[], $18::timestamptz[], $19::date[], $20::date[], \
    $21::timestamptz[], $22::uuid[]) AS t(hold_id, amount, state, attempts, placed_at, week_start, month_start, \
    ended_at, posting_id) \
  WHERE h.hold_id = ANY($14) AND h.hold_id = t.hold_id) \
UPDATE billing.wallets w SET balance = t.balance, held = t.held, spent_week = t.spent_week, week_start = t.week_start, \
  spent_month = t.spent_month, month_start = t.month_start, low_balance_threshold = t.threshold, lines = t.lines, \
  suspended = t.suspended, debt = t.debt, open_disputes = t.open_disputes \
FROM unnest($23::uuid[], $24::numeric[], $25::numeric[], $26::numeric[], $27::date[], $28::numeric[], $29::date[], \
  $30::numeric[], $31::bigint[], $32::bool[], $33::numeric[], $34::int[]) AS t(buyer_id, balance, held, spent_week, \
  week_start, spent_month, month_start, threshold, lines, suspended, debt, open_disputes) \
WHERE w.buyer_id = ANY($23) AND w.buyer_id = t.buyer_id";

/// All lines of a posting in one statement: the table checks that they sum to zero.
const SAVE_POSTINGS: &str = "\
WITH postings AS ( \
  INSERT INTO billing.postings (posting_id, kind, seller_id, assignment_id, at, description, payment_id) \
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[], $7::uuid[])) \
INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
SELECT * FROM unnest($8::uuid[], $9::smallint[], $10::uuid[], $11::numeric[], $12::bigint[], $13::numeric[])";

/// Saves everything in the open transaction, under the wallets' locks.
pub async fn save(connection: &mut PgConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    if !(changes.wallets.is_empty() && changes.new_holds.is_empty() && changes.changed_holds.is_empty()) {
        save_holds(connection, &changes.new_holds, &changes.changed_holds, &changes.wallets).await?;
    }
    if !changes.postings.is_empty() {
        save_postings(connection, &changes.postings).await?;
    }
    Ok(())
}

async fn save_holds(
    connection: &mut PgConnection,
    new: &[Hold],
    changed: &[Hold],
    wallets: &[Wallet],
) -> Result<(), sqlx::Error> {
    let fresh = HoldColumns::of(new);
    let later = HoldColumns::of(changed);
    sqlx::query(SAVE_HOLDS)
        .bind(fresh.ids)
        .bind(new.iter().map(|hold| hold.buyer.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.seller.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.lead.uuid()).collect::<Vec<Uuid>>())
        .bind(new.iter().map(|hold| hold.campaign.uuid()).collect::<Vec<Uuid>>())
        .bind(fresh.amounts)
        .bind(fresh.states)
        .bind(fresh.attempts)
        .bind(fresh.placed)
        .bind(fresh.weeks)
        .bind(fresh.months)
        .bind(fresh.ended)
        .bind(fresh.postings)
        .bind(later.ids)
        .bind(later.amounts)
        .bind(later.states)
        .bind(later.attempts)
        .bind(later.placed)
        .bind(later.weeks)
        .bind(later.months)
        .bind(later.ended)
        .bind(later.postings)
        .bind(wallets.iter().map(|wallet| wallet.buyer.uuid()).collect::<Vec<Uuid>>())
        .bind(wallets.iter().map(|wallet| wallet.balance).collect::<Vec<Decimal>>())
        .bind(wallets.iter().map(|wallet| wallet.held).collect::<Vec<Decimal>>())
        .bind(wallets.iter().map(|wallet| wallet.week.amount).collect::<Vec<Decimal>>())
        .bind(wallets.iter().map(|wallet| wallet.week.start).collect::<Vec<NaiveDate>>())
        .bind(wallets.iter().map(|wallet| wallet.month.amount).collect::<Vec<Decimal>>())
        .bind(wallets.iter().map(|wallet| wallet.month.start).collect::<Vec<NaiveDate>>())
        .bind(wallets.iter().map(|wallet| wallet.low_balance_threshold).collect::<Vec<Decimal>>())
        .bind(wallets.iter().map(|wallet| wallet.lines).collect::<Vec<i64>>())
        .bind(wallets.iter().map(|wallet| wallet.suspended).collect::<Vec<bool>>())
        .bind(wallets.iter().map(|wallet| wallet.debt).collect::<Vec<Decimal>>())
        .bind(
            wallets.iter().map(|wallet| i32::try_from(wallet.open_disputes).unwrap_or(i32::MAX)).collect::<Vec<i32>>(),
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// Holds as columns, for `unnest`.
pub(super) struct HoldColumns {
    pub(super) ids: Vec<Uuid>,
    pub(super) amounts: Vec<Decimal>,
    pub(super) states: Vec<&'static str>,
    pub(super) attempts: Vec<i32>,
    pub(super) placed: Vec<DateTime<Utc>>,
    pub(super) weeks: Vec<NaiveDate>,
    pub(super) months: Vec<NaiveDate>,
    pub(super) ended: Vec<Option<DateTime<Utc>>>,
    pub(super) postings: Vec<Option<Uuid>>,
}

impl HoldColumns {
    pub(super) fn of(holds: &[Hold]) -> Self {
        Self {
            ids: holds.iter().map(|hold| hold.id.uuid()).collect(),
            amounts: holds.iter().map(|hold| hold.amount).collect(),
            states: holds.iter().map(|hold| state_name(hold.state)).collect(),
            attempts: holds.iter().map(|hold| i32::try_from(hold.attempts).unwrap_or(i32::MAX)).collect(),
            placed: holds.iter().map(|hold| hold.placed_at).collect(),
            weeks: holds.iter().map(|hold| hold.week_start).collect(),
            months: holds.iter().map(|hold| hold.month_start).collect(),
            ended: holds.iter().map(|hold| hold.ended_at).collect(),
            postings: holds.iter().map(|hold| hold.posting.map(Uuid::from)).collect(),
        }
    }
}

async fn save_postings(connection: &mut PgConnection, postings: &[Posting]) -> Result<(), sqlx::Error> {
    let heads = PostingColumns::of(postings);
    let entries = EntryColumns::of(postings);
    sqlx::query(SAVE_POSTINGS)
        .bind(heads.ids)
        .bind(heads.kinds)
        .bind(heads.sellers)
        .bind(heads.assignments)
        .bind(heads.times)
        .bind(heads.descriptions)
        .bind(postings.iter().map(|posting| posting.kind.payment().map(Uuid::from)).collect::<Vec<Option<Uuid>>>())
        .bind(entries.postings)
        .bind(entries.lines)
        .bind(entries.accounts)
        .bind(entries.amounts)
        .bind(entries.numbers)
        .bind(entries.balances)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Postings as columns, without their lines.
pub(super) struct PostingColumns<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) sellers: Vec<Uuid>,
    pub(super) assignments: Vec<Option<Uuid>>,
    pub(super) times: Vec<DateTime<Utc>>,
    pub(super) descriptions: Vec<&'a str>,
}

impl<'a> PostingColumns<'a> {
    pub(super) fn of(postings: &'a [Posting]) -> Self {
        Self {
            ids: postings.iter().map(|posting| posting.id.uuid()).collect(),
            kinds: postings.iter().map(|posting| posting.kind.name()).collect(),
            sellers: postings.iter().map(|posting| posting.seller.uuid()).collect(),
            assignments: postings.iter().map(|posting| posting.kind.assignment().map(Uuid::from)).collect(),
            times: postings.iter().map(|posting| posting.at).collect(),
            descriptions: postings.iter().map(|posting| posting.description.as_str()).collect(),
        }
    }
}

/// The lines of postings as columns.
#[derive(Default)]
pub(super) struct EntryColumns {
    pub(super) postings: Vec<Uuid>,
    pub(super) lines: Vec<i16>,
    pub(super) accounts: Vec<Uuid>,
    pub(super) amounts: Vec<Decimal>,
    pub(super) numbers: Vec<Option<i64>>,
    pub(super) balances: Vec<Option<Decimal>>,
    /// Whose wallet's line it is.
    pub(super) buyers: Vec<Option<Uuid>>,
}

impl EntryColumns {
    pub(super) fn of(postings: &[Posting]) -> Self {
        let mut columns = Self::default();
        for posting in postings {
            // A posting has at most three lines.
            for (line, entry) in (1_i16..).zip(&posting.entries) {
                columns.postings.push(posting.id.uuid());
                columns.lines.push(line);
                columns.accounts.push(entry.account.id().uuid());
                columns.amounts.push(entry.amount);
                columns.numbers.push(entry.wallet.map(|line| line.number));
                columns.balances.push(entry.wallet.map(|line| line.balance_after));
                columns.buyers.push(entry.account.buyer.map(Uuid::from));
            }
        }
        columns
    }
}
