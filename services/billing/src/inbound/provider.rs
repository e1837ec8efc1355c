//! The calls of the gRPC service `Payments` that are of no tenant: what the provider tells, and whether its books and ours agree.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_contracts::{billing as proto, money_to_proto, time_to_ms};
use leadflow_platform::grpc::status;
use tonic::{Code, Request, Response, Status};

use super::convert::{database, invalid, refused};
use crate::{
    app::{
        provider_events::{ProviderEvents, ReceiveError},
        reconcile::{Difference, Reconciler},
    },
    outbound::stripe::WebhookRefusal,
};

/// The provider's are a few kilobytes; the largest it ever sends are far below this.
const LARGEST_EVENT: usize = 512 << 10;
/// The longest period that is compared at once.
const LONGEST_PERIOD: TimeDelta = TimeDelta::days(100);

pub(super) async fn receive(
    events: &ProviderEvents,
    request: &Request<proto::ReceiveProviderEventRequest>,
) -> Result<Response<proto::ReceiveProviderEventResponse>, Status> {
    let request = request.get_ref();
    if request.body.len() > LARGEST_EVENT {
        return Err(invalid(format_args!("body: must be at most {LARGEST_EVENT} bytes")));
    }
    match events.receive(&request.body, &request.signature).await {
        Ok(received) => Ok(Response::new(proto::ReceiveProviderEventResponse { new: received.new })),
        Err(ReceiveError::Refused(WebhookRefusal::NotConfigured)) => Err(status(
            Code::FailedPrecondition,
            "webhooks_not_configured",
            "no signing secret is set (STRIPE_WEBHOOK_SECRET)",
        )),
        Err(ReceiveError::Refused(refusal)) => {
            tracing::warn!(%refusal, "a webhook of the payment provider is not believed");
            Err(status(Code::InvalidArgument, "bad_signature", refusal))
        }
        Err(ReceiveError::NoEvent) => Err(invalid("body: is no event")),
        Err(ReceiveError::Database(error)) => Err(database(&error)),
    }
}

pub(super) async fn reconcile(
    reconciler: &Reconciler,
    request: &Request<proto::ReconcileRequest>,
) -> Result<Response<proto::ReconcileResponse>, Status> {
    let (from, to) = (time(request.get_ref().from_ms, "from_ms")?, time(request.get_ref().to_ms, "to_ms")?);
    if from >= to || to - from > LONGEST_PERIOD {
        return Err(invalid(format_args!(
            "to_ms: must be after from_ms, by at most {} days",
            LONGEST_PERIOD.num_days()
        )));
    }
    let found = reconciler.compare(from, to).await.map_err(|error| refused(&error))?;
    Ok(Response::new(proto::ReconcileResponse {
        ours: found.ours,
        theirs: found.theirs,
        differences: found.differences.iter().map(difference_to_proto).collect(),
        settled: found.settled,
    }))
}

fn time(ms: i64, field: &'static str) -> Result<DateTime<Utc>, Status> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| invalid(format_args!("{field}: is no time")))
}

fn difference_to_proto(difference: &Difference) -> proto::Difference {
    proto::Difference {
        kind: difference.kind.name().to_owned(),
        provider_id: difference.provider_id.clone(),
        payment_id: difference.payment.map(|id| id.to_string()).unwrap_or_default(),
        ours: difference.ours.map(money_to_proto),
        theirs: difference.theirs.map(money_to_proto),
        at_ms: time_to_ms(difference.at),
        settled: difference.settled,
    }
}
