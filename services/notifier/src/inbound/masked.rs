//! `lead.masked`: the personal data of leads is removed; and the question what became of it.

use leadflow_contracts::{
    ConvertError, Event as _, events as told, id,
    notifier::{Erased, GetErasedRequest, masking_server},
    time_to_ms,
};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use leadflow_platform::grpc::{status, tenant};
use tonic::{Code, Request, Response, Status};

use super::convert::refused;
use crate::{app::Notifier, store::masking::MaskedSale};

/// Has what is kept of them removed here, too.
pub struct LeadsMasked {
    /// Does it.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl BatchHandler for LeadsMasked {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut sales = Vec::new();
        for message in batch {
            if message.kind != told::LeadsMasked::TYPE {
                return Err(HandleError::permanent(format!("nothing is known of {}", message.kind)));
            }
            let event = message.decode::<told::LeadsMasked>().map_err(HandleError::permanent)?;
            sales.extend(read(&event).map_err(HandleError::permanent)?);
        }
        Ok(self.notifier.accept_masked(&sales).await?)
    }
}

fn read(event: &told::LeadsMasked) -> Result<Vec<MaskedSale>, ConvertError> {
    let seller = id(&event.seller_id, "seller_id")?;
    let erasure = if event.erasure_id.is_empty() { None } else { Some(id(&event.erasure_id, "erasure_id")?) };
    let mut sales = Vec::new();
    for lead in &event.leads {
        let of = id(&lead.lead_id, "lead_id")?;
        for sale in &lead.sales {
            let (assignment, buyer) = (id(&sale.assignment_id, "assignment_id")?, id(&sale.buyer_id, "buyer_id")?);
            sales.push(MaskedSale { seller, lead: of, assignment, buyer, erasure });
        }
    }
    Ok(sales)
}

/// Tells what became of it.
pub struct MaskingService {
    /// Knows it.
    pub notifier: Notifier,
}

#[async_trait::async_trait]
impl masking_server::Masking for MaskingService {
    async fn get_erased(&self, request: Request<GetErasedRequest>) -> Result<Response<Erased>, Status> {
        let erasure = id(&request.get_ref().erasure_id, "erasure_id")
            .map_err(|error| status(Code::InvalidArgument, "invalid_field", error))?;
        let found = self.notifier.get_erased(tenant(&request)?, erasure).await.map_err(|error| refused(&error))?;
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Response::new(Erased {
            sales: count(found.sales),
            waiting: count(found.waiting),
            deliveries: count(found.deliveries),
            messages: count(found.messages),
            done_at_ms: found.done_at.map_or(0, time_to_ms),
        }))
    }
}
