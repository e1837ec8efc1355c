//! The gRPC service of preferences, messages and providers' calls.

use leadflow_contracts::{
    id,
    notifier::{
        CallbackSource as Source, GetPreferencesRequest, ListMessagesRequest, ListMessagesResponse, Preferences,
        PutPreferencesRequest, TakeCallbackRequest, TakeCallbackResponse, UnsubscribeRequest, UnsubscribeResponse,
        messages_server,
    },
};
use leadflow_kernel::{BuyerId, Id, Kind};
use leadflow_platform::grpc::{actor, status, tenant};
use tonic::{Code, Request, Response, Status};

use super::{convert, messages_convert};
use crate::app::{self, Callback, CallbackSource, MAX_PAGE};

/// Bytes of a provider's call.
const MAX_CALLBACK: usize = 1 << 20;

/// Answers calls with the use cases.
pub struct Service {
    notifier: app::Notifier,
}

impl Service {
    /// Answers with `notifier`.
    #[must_use]
    pub const fn new(notifier: app::Notifier) -> Self {
        Self { notifier }
    }
}

fn read<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, Status> {
    id(text, field).map_err(|e| convert::unreadable(&e))
}

#[tonic::async_trait]
impl messages_server::Messages for Service {
    async fn get_preferences(&self, request: Request<GetPreferencesRequest>) -> Result<Response<Preferences>, Status> {
        let tenant = tenant(&request)?;
        let buyer: BuyerId = read(&request.get_ref().buyer_id, "buyer_id")?;
        let view = self.notifier.get_preferences(tenant, buyer).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(messages_convert::preferences(buyer, view)))
    }

    async fn put_preferences(&self, request: Request<PutPreferencesRequest>) -> Result<Response<Preferences>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let buyer: BuyerId = read(&request.buyer_id, "buyer_id")?;
        let expected = request.expected_version;
        let change = messages_convert::change(request);
        let put = self.notifier.put_preferences(actor, tenant, buyer, change, expected).await;
        Ok(Response::new(messages_convert::preferences(buyer, put.map_err(|e| convert::refused(&e))?)))
    }

    async fn unsubscribe(&self, request: Request<UnsubscribeRequest>) -> Result<Response<UnsubscribeResponse>, Status> {
        let topic = self.notifier.unsubscribe(&request.get_ref().token).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(UnsubscribeResponse { kind: topic.code().to_owned() }))
    }

    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let buyer = read(&request.buyer_id, "buyer_id")?;
        if !(1..=MAX_PAGE).contains(&request.limit) {
            return Err(status(Code::InvalidArgument, "invalid_field", format_args!("limit must be 1 to {MAX_PAGE}")));
        }
        let before = match request.before.as_str() {
            "" => None,
            text => Some(read(text, "before")?),
        };
        let listed = self.notifier.list_messages(tenant, buyer, before, request.limit).await;
        let messages = listed.map_err(|e| convert::refused(&e))?.into_iter().map(messages_convert::message).collect();
        Ok(Response::new(ListMessagesResponse { messages }))
    }

    async fn take_callback(
        &self,
        request: Request<TakeCallbackRequest>,
    ) -> Result<Response<TakeCallbackResponse>, Status> {
        let request = request.into_inner();
        let source = match request.source() {
            Source::SendgridEvents => CallbackSource::SendGridEvents,
            Source::TwilioStatus => CallbackSource::TwilioStatus,
            Source::TwilioInbound => CallbackSource::TwilioInbound,
            Source::Unspecified => {
                return Err(status(Code::InvalidArgument, "invalid_field", "source is not known"));
            }
        };
        if request.body.len() > MAX_CALLBACK {
            return Err(status(Code::InvalidArgument, "invalid_field", "body must have at most 1 MiB"));
        }
        let callback = Callback { source, headers: request.headers, body: request.body, url: request.url };
        let answer = self.notifier.take_callback(&callback).await.map_err(|e| convert::refused(&e))?;
        Ok(Response::new(TakeCallbackResponse { answer }))
    }
}
