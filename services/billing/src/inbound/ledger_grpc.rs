//! The gRPC service that gives out a tenant's ledger.

use std::{pin::pin, sync::Arc, time::Duration};

use chrono::NaiveDate;
use leadflow_contracts::billing::{self as proto, LedgerFormat, LedgerPart};
use leadflow_kernel::SellerId;
use leadflow_platform::{
    Shutdown,
    db::Tenants,
    grpc::{status, tenant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use super::convert::{invalid, refused};
use crate::{
    app::AppError,
    export::{self, ExportError, Format, Part, Parts},
};

/// Ledgers that are read at once: each keeps a connection.
const AT_ONCE: usize = 3;
/// The longest that whoever reads may take for one part. Below the time after which PostgreSQL ends the transaction.
const PATIENCE: Duration = Duration::from_secs(30);
/// Parts that wait to be read.
const AHEAD: usize = 4;

/// Answers with the ledger of the calling tenant.
pub struct LedgerService {
    tenants: Tenants,
    shutdown: Shutdown,
    room: Arc<Semaphore>,
    patience: Duration,
}

impl LedgerService {
    /// Reads with `tenants`, until `shutdown`.
    #[must_use]
    pub fn new(tenants: Tenants, shutdown: Shutdown) -> Self {
        Self { tenants, shutdown, room: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE }
    }

    /// Lets whoever reads take so long for one part.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

#[tonic::async_trait]
impl proto::ledger_server::Ledger for LedgerService {
    type ExportLedgerStream = ReceiverStream<Result<LedgerPart, Status>>;

    async fn export_ledger(
        &self,
        request: Request<proto::ExportLedgerRequest>,
    ) -> Result<Response<Self::ExportLedgerStream>, Status> {
        let tenant = tenant(&request)?;
        let request = request.get_ref();
        let format = match request.format() {
            LedgerFormat::Csv => Format::Csv,
            LedgerFormat::Beancount => Format::Beancount,
            LedgerFormat::Unspecified => return Err(invalid("format: must be named")),
        };
        let part = Part { seller: Some(tenant), from: day(&request.from, "from")?, to: day(&request.to, "to")? };
        if part.from.zip(part.to).is_some_and(|(from, to)| from > to) {
            return Err(invalid("to: must not be before from"));
        }
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let sentence = "other ledgers are being exported: try again in a minute";
            status(Code::Unavailable, "too_many_exports", sentence)
        })?;
        let (answer, stream) = mpsc::channel(AHEAD);
        let work = Work {
            tenants: self.tenants.clone(),
            tenant,
            part,
            format,
            answer,
            shutdown: self.shutdown.clone(),
            patience: self.patience,
            room,
        };
        tokio::spawn(work.carry_out());
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// One export.
struct Work {
    tenants: Tenants,
    tenant: SellerId,
    part: Part,
    format: Format,
    answer: mpsc::Sender<Result<LedgerPart, Status>>,
    shutdown: Shutdown,
    patience: Duration,
    room: OwnedSemaphorePermit,
}

impl Work {
    /// Writes the ledger to `answer`, and why it ends early, if it does.
    async fn carry_out(self) {
        let Self { tenants, tenant, part, format, answer, shutdown, patience, room } = self;
        let (to, mut parts) = mpsc::channel::<Vec<u8>>(1);
        let passing = async {
            while let Some(data) = parts.recv().await {
                if answer.send(Ok(LedgerPart { data: data.into() })).await.is_err() {
                    // Nobody reads any more: the channel closes, and so ends the writing.
                    parts.close();
                }
            }
        };
        let mut out = Parts::new(to, patience);
        let writing = async move {
            tokio::select! {
                exported = export::export_for(&tenants, tenant, &part, format, &mut out) => {
                    exported.map(drop).map_err(|error| told(tenant, error))
                }
                () = shutdown.cancelled() => {
                    Err(status(Code::Unavailable, "stopping", "the service is stopping: try again"))
                }
            }
        };
        let (mut writing, mut passing, mut is_passed) = (pin!(writing), pin!(passing), false);
        let exported = tokio::select! {
            exported = &mut writing => exported,
            () = &mut passing => {
                is_passed = true;
                writing.await
            }
        };
        // Nothing is read any more, so others may; what is left is passed on only if it is the end of the whole.
        drop(room);
        let exported = match exported {
            Ok(()) if !is_passed => {
                let passed = tokio::time::timeout(patience, passing).await;
                passed.map_err(|_| status(Code::Aborted, "not_read", "the end was not read"))
            }
            other => other,
        };
        if let Err(problem) = exported {
            // Whoever does not read has no use for it.
            let _ = tokio::time::timeout(patience, answer.send(Err(problem))).await;
        }
    }
}

fn told(tenant: SellerId, error: ExportError) -> Status {
    match error {
        ExportError::Database(error) => refused(&AppError::Database(error)),
        // It was read too slowly, or not to its end.
        ExportError::Write(error) => status(Code::Aborted, "not_read", error),
        ExportError::NoAccount(_) => {
            tracing::error!(seller_id = %tenant, %error, "the ledger cannot be exported");
            status(Code::Internal, "internal", "something went wrong on our side")
        }
    }
}

fn day(text: &str, field: &'static str) -> Result<Option<NaiveDate>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = text.parse::<NaiveDate>().ok().filter(|day| (1970..=9999).contains(&chrono::Datelike::year(day)));
    day.map(Some).ok_or_else(|| invalid(format_args!("{field}: must be a day such as 2026-11-01")))
}
