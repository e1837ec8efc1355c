//! The gRPC service of wishes that one person's data be removed.

use leadflow_contracts::{
    distribution::{ErasedBuyer, Erasure, ErasureState, GetErasureRequest, RequestErasureRequest, privacy_server},
    time_to_ms,
};
use leadflow_kernel::{ErasureId, UserId};
use leadflow_platform::grpc::{actor, tenant};
use tonic::{Request, Response, Status};

use super::convert::{read_id, refused};
use crate::{
    app::{App, AppError, ErasureView},
    store::columns,
};

/// Answers calls with the use cases.
pub struct PrivacyService {
    app: App,
}

impl PrivacyService {
    /// With `app`.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }
}

fn answer(view: ErasureView) -> Result<Response<Erasure>, Status> {
    let row = view.row;
    let state = match row.state.as_str() {
        "waiting" => ErasureState::Waiting,
        "searching" => ErasureState::Searching,
        "letters" => ErasureState::DeadLetters,
        "done" => ErasureState::Done,
        _ => return Err(refused(AppError::Database(columns::impossible("state")))),
    };
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Response::new(Erasure {
        erasure_id: ErasureId::from_uuid(row.erasure_id).to_string(),
        state: state.into(),
        first_asked_at_ms: time_to_ms(row.first_asked_at),
        asked_at_ms: time_to_ms(row.asked_at),
        asked_by: row.asked_by.map_or_else(String::new, |id| UserId::from_uuid(id).to_string()),
        times_asked: count(row.times_asked.into()),
        by_email: row.by_email,
        by_phone: row.by_phone,
        leads_searched: u64::try_from(row.searched).unwrap_or(0),
        leads: count(row.leads),
        sales: count(row.sales),
        fingerprints: count(row.fingerprints.into()),
        dead_letters: count(row.letters.into()),
        buyers: view
            .buyers
            .into_iter()
            .map(|(id, company_name, leads)| ErasedBuyer { buyer_id: id.to_string(), company_name, leads })
            .collect(),
        done_at_ms: row.done_at.map_or(0, time_to_ms),
    }))
}

#[tonic::async_trait]
impl privacy_server::Privacy for PrivacyService {
    async fn request_erasure(&self, request: Request<RequestErasureRequest>) -> Result<Response<Erasure>, Status> {
        let (seller, by) = (tenant(&request)?, actor(&request)?);
        let wanted = request.get_ref();
        answer(self.app.request_erasure(by, seller, &wanted.email, &wanted.phone).await.map_err(refused)?)
    }

    async fn get_erasure(&self, request: Request<GetErasureRequest>) -> Result<Response<Erasure>, Status> {
        let id = read_id(&request.get_ref().erasure_id, "erasure_id")?;
        answer(self.app.get_erasure(tenant(&request)?, id).await.map_err(refused)?)
    }
}
