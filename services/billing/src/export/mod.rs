//! The ledger as a file, for accountants and for their programs: as it was at one moment, always in the same order, and
//! with no more of it in memory than its accounts and a page of lines.

mod beancount;
mod csv;
mod out;

use std::{
    collections::HashMap,
    io::{self, Write},
};

use leadflow_kernel::SellerId;
use leadflow_platform::db::Tenants;
use rust_decimal::Decimal;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use out::{Out, Plain};

pub use crate::store::ledger::Part;
use crate::store::ledger::{self, LedgerAccount, LedgerLine};
pub use out::Parts;

/// How the file looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A row for each line of each posting.
    Csv,
    /// beancount's plain text.
    Beancount,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Postings.
    pub postings: u64,
    /// Their lines.
    pub lines: u64,
}

/// Why the file is not whole.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// PostgreSQL.
    #[error("the ledger cannot be read")]
    Database(#[from] sqlx::Error),
    /// Where it is written to.
    #[error("the ledger cannot be written")]
    Write(#[from] io::Error),
    /// A line of an account that is not there.
    #[error("posting {0} names an account that does not exist")]
    NoAccount(leadflow_kernel::PostingId),
}

/// Accounts by their ids.
type Accounts = HashMap<Uuid, LedgerAccount>;

/// Writes a part of the ledger in `pool`, as it is now.
///
/// # Errors
/// [`ExportError`]; what was written until then is not the whole.
pub async fn export(
    pool: &PgPool,
    part: &Part,
    format: Format,
    out: &mut (impl Write + Send),
) -> Result<Exported, ExportError> {
    let mut snapshot = ledger::snapshot(pool).await?;
    write_all(&mut snapshot, part, format, &mut Plain(out)).await
}

/// Likewise of one tenant's ledger, as the tenant.
///
/// # Errors
/// [`ExportError`]; what was passed on until then is not the whole.
pub async fn export_for(
    tenants: &Tenants,
    tenant: SellerId,
    part: &Part,
    format: Format,
    out: &mut Parts,
) -> Result<Exported, ExportError> {
    let part = Part { seller: Some(tenant), ..*part };
    let mut snapshot = tenants.begin(tenant).await?;
    ledger::steady(&mut snapshot).await?;
    write_all(&mut snapshot, &part, format, out).await
}

async fn write_all(
    snapshot: &mut PgConnection,
    part: &Part,
    format: Format,
    out: &mut impl Out,
) -> Result<Exported, ExportError> {
    let ordered = ledger::accounts(snapshot, part).await?;
    let accounts: Accounts = ordered.iter().map(|account| (account.id, account.clone())).collect();
    let span = ledger::span(snapshot, part).await?;
    // As the file goes on.
    let mut balances: HashMap<Uuid, Decimal> = ordered.iter().map(|account| (account.id, account.opening)).collect();
    match format {
        Format::Csv => csv::begin(out)?,
        Format::Beancount => beancount::begin(out, part, &ordered, span)?,
    }
    let mut exported = Exported::default();
    let mut posting: Vec<LedgerLine> = Vec::new();
    ledger::open(snapshot, part).await?;
    loop {
        let page = ledger::next(snapshot).await?;
        let is_end = page.is_empty();
        for line in page {
            if posting.first().is_some_and(|first| first.posting != line.posting) {
                write(out, format, &posting, &accounts, &mut balances)?;
                posting.clear();
            }
            exported.postings += u64::from(posting.is_empty());
            exported.lines += 1;
            posting.push(line);
        }
        out.passed().await?;
        if is_end {
            break;
        }
    }
    write(out, format, &posting, &accounts, &mut balances)?;
    if format == Format::Beancount {
        beancount::end(out, part, &ordered, span)?;
    }
    out.flush()?;
    out.passed().await?;
    Ok(exported)
}

fn write(
    out: &mut impl Write,
    format: Format,
    posting: &[LedgerLine],
    accounts: &Accounts,
    balances: &mut HashMap<Uuid, Decimal>,
) -> Result<(), ExportError> {
    let Some(head) = posting.first() else { return Ok(()) };
    if format == Format::Beancount {
        beancount::transaction(out, head)?;
    }
    for line in posting {
        let account = accounts.get(&line.account).ok_or(ExportError::NoAccount(line.posting))?;
        let balance = balances.entry(line.account).or_default();
        *balance += line.amount;
        match format {
            Format::Csv => csv::line(out, line, account, *balance)?,
            Format::Beancount => beancount::line(out, account, line.amount)?,
        }
    }
    if format == Format::Beancount {
        writeln!(out)?;
    }
    Ok(())
}
