//! What suppliers were told.

use leadflow_kernel::LeadId;
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

/// The answer that a post got with a 2xx. When a lead was answered more than once (a retry), give the
/// last answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The lead.
    pub lead_id: LeadId,
    /// What was said of it.
    pub answered: Answered,
}

/// What was said of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// 202: stored, will be decided.
    Pending,
    /// Sold.
    Distributed {
        /// To how many.
        buyers: u32,
        /// For how much together.
        price: Decimal,
    },
    /// Accepted, nobody can buy it now.
    Unsold,
    /// A rule refused it.
    Rejected {
        /// Which; `duplicate` for one.
        reason: String,
    },
    /// A test lead that would have been sold.
    Test,
}

impl Answered {
    const fn code(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Distributed { .. } => "distributed",
            Self::Unsold => "unsold",
            Self::Rejected { .. } => "rejected",
            Self::Test => "test",
        }
    }
}

/// Makes the temporary table `books_answers`, which ends with the transaction.
pub(super) async fn load(connection: &mut PgConnection, answers: &[Answer]) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "CREATE TEMP TABLE books_answers (lead_id uuid, answered text, buyers integer, price numeric, reason text) \
         ON COMMIT DROP",
    )
    .execute(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = answers.iter().map(|answer| answer.lead_id.uuid()).collect();
    let codes: Vec<&str> = answers.iter().map(|answer| answer.answered.code()).collect();
    let (mut buyers, mut prices, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for answer in answers {
        let (count, price, reason) = match &answer.answered {
            Answered::Distributed { buyers, price } => (i32::try_from(*buyers).ok(), Some(*price), None),
            Answered::Rejected { reason } => (None, None, Some(reason.as_str())),
            Answered::Pending | Answered::Unsold | Answered::Test => (None, None, None),
        };
        buyers.push(count);
        prices.push(price);
        reasons.push(reason);
    }
    sqlx::query(
        "INSERT INTO books_answers \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::numeric[], $5::text[])",
    )
    .bind(ids)
    .bind(codes)
    .bind(buyers)
    .bind(prices)
    .bind(reasons)
    .execute(connection)
    .await?;
    Ok(())
}
