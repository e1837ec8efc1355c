//! Between the contract's messages and our values.

use std::sync::Arc;

use leadflow_contracts::{ConvertError, events as told, id, money, notifier as proto, time_from_ms, time_to_ms};
use leadflow_kernel::{MailId, MessageId};
use leadflow_messaging::{Message, consumer::BoxError};
use leadflow_notifier_domain::{Channel, MessageKind, PreferencesError, Reply};
use leadflow_platform::{db::is_passing, grpc::status};
use tonic::{Code, Status};

use crate::{
    app::{AppError, Declined, DeliveryView, LowWallet, Sale, Sample, Undone},
    store::messages::NewMessage,
};

/// The mail that an event asks for. Its id is what its contents are sealed with, so the message has the same.
pub(super) fn mail(message: &Message, event: told::MailWanted) -> Result<NewMessage, BoxError> {
    let kind = match event.kind() {
        told::MailKind::ResetPassword => MessageKind::ResetPassword,
        told::MailKind::VerifyEmail => MessageKind::VerifyEmail,
        told::MailKind::TeamInvitation => MessageKind::TeamInvitation,
        told::MailKind::SupplierInvitation => MessageKind::SupplierInvitation,
        // Among the dead letters it waits for a release that knows it.
        _ => return Err(format!("no such kind of mail: {}", event.kind).into()),
    };
    let seller = if event.seller_id.is_empty() { None } else { Some(id(&event.seller_id, "seller_id")?) };
    let mail: MailId = id(&event.mail_id, "mail_id")?;
    Ok(NewMessage {
        id: MessageId::from_uuid(mail.uuid()),
        seller,
        // Who signs in is a person, not a buyer.
        buyer: None,
        channel: Channel::Email,
        kind,
        lead: None,
        contents: event.sealed.into(),
        expires_at: time_from_ms(event.expires_at_ms).ok_or(ConvertError::Missing { field: "expires_at_ms" })?,
        received_at: None,
        traceparent: message.traceparent.clone(),
    })
}

/// The sales that an event tells of.
pub(super) fn sales(message: &Message, event: told::LeadAssigned) -> Result<Vec<Sale>, ConvertError> {
    let (lead, seller, campaign) =
        (id(&event.lead_id, "lead_id")?, id(&event.seller_id, "seller_id")?, id(&event.campaign_id, "campaign_id")?);
    let assigned_at = time_from_ms(event.assigned_at_ms).ok_or(ConvertError::Missing { field: "assigned_at_ms" })?;
    let received_at = time_from_ms(event.received_at_ms).ok_or(ConvertError::Missing { field: "received_at_ms" })?;
    let shared = |text: String| -> Arc<str> { text.into() };
    let (campaign_name, category_name) = (shared(event.campaign_name), shared(event.category_name));
    let (state, quality) = (shared(event.state), shared(event.quality));
    let data_json = event.data_json;
    event
        .assignments
        .iter()
        .map(|assignment| {
            Ok(Sale {
                traceparent: message.traceparent.clone(),
                seller,
                buyer: id(&assignment.buyer_id, "buyer_id")?,
                lead,
                assignment: id(&assignment.assignment_id, "assignment_id")?,
                campaign,
                campaign_name: campaign_name.clone(),
                category_name: category_name.clone(),
                state: state.clone(),
                quality: quality.clone(),
                price: money(assignment.price.as_ref(), "price")?,
                received_at,
                assigned_at,
                data_json: data_json.clone(),
            })
        })
        .collect()
}

/// The wallet that an event tells runs low.
pub(super) fn low_wallet(message: &Message, event: &told::WalletLowBalance) -> Result<LowWallet, ConvertError> {
    Ok(LowWallet {
        source: message.id,
        traceparent: message.traceparent.clone(),
        seller: id(&event.seller_id, "seller_id")?,
        buyer: id(&event.buyer_id, "buyer_id")?,
        available: money(event.available.as_ref(), "available")?,
        threshold: money(event.threshold.as_ref(), "threshold")?,
    })
}

/// The payment that an event tells was declined; `None` when it tells of something else.
pub(super) fn declined(message: &Message, event: &told::PaymentChanged) -> Result<Option<Declined>, ConvertError> {
    if event.news() != told::PaymentNews::Declined {
        return Ok(None);
    }
    Ok(Some(Declined {
        source: message.id,
        traceparent: message.traceparent.clone(),
        seller: id(&event.seller_id, "seller_id")?,
        buyer: id(&event.buyer_id, "buyer_id")?,
        payment: id(&event.payment_id, "payment_id")?,
        amount: money(event.amount.as_ref(), "amount")?,
        recharge: event.recharge,
        reason: event.decline_message.as_str().into(),
        next_attempt_at: time_from_ms(event.next_attempt_at_ms).filter(|_| event.next_attempt_at_ms > 0),
    }))
}

/// The sale that an event tells is undone.
pub(super) fn undone(message: &Message, event: told::LeadReturned) -> Result<Undone, ConvertError> {
    Ok(Undone {
        traceparent: message.traceparent.clone(),
        seller: id(&event.seller_id, "seller_id")?,
        buyer: id(&event.buyer_id, "buyer_id")?,
        lead: id(&event.lead_id, "lead_id")?,
        assignment: id(&event.assignment_id, "assignment_id")?,
        undone: id(&event.return_id, "return_id")?,
        campaign: id(&event.campaign_id, "campaign_id")?,
        campaign_name: event.campaign_name.into(),
        price: money(event.price.as_ref(), "price")?,
        reason: event.reason.into(),
        decided_at: time_from_ms(event.decided_at_ms).ok_or(ConvertError::Missing { field: "decided_at_ms" })?,
    })
}

pub(super) fn attempt(sample: Sample) -> proto::Attempt {
    let attempt = sample.attempt;
    let note = attempt.note().to_owned();
    let error = match attempt.reply {
        Reply::Answer { .. } => String::new(),
        Reply::NoAnswer { error, .. } => error,
    };
    proto::Attempt {
        number: 1,
        started_at_ms: time_to_ms(attempt.started_at),
        duration_ms: attempt.duration_ms,
        status_code: attempt.status_code.into(),
        error,
        response: attempt.response,
        meaning: sample.meaning.map_or_else(String::new, |meaning| meaning.text().to_owned()),
        note,
    }
}

pub(super) fn delivery(view: DeliveryView) -> proto::Delivery {
    let delivery = view.delivery;
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    proto::Delivery {
        delivery_id: delivery.id.to_string(),
        assignment_id: delivery.sale.map(|sale| sale.assignment.to_string()).unwrap_or_default(),
        lead_id: delivery.sale.map(|sale| sale.lead.to_string()).unwrap_or_default(),
        endpoint_id: delivery.endpoint.to_string(),
        status: delivery.status,
        attempts_made: number(delivery.attempts_made),
        next_attempt_at_ms: delivery.due_at.map_or(0, time_to_ms),
        attempts: view
            .attempts
            .into_iter()
            .map(|attempt| proto::Attempt {
                number: number(attempt.number),
                started_at_ms: time_to_ms(attempt.started_at),
                duration_ms: number(attempt.duration_ms),
                status_code: number(attempt.status_code),
                error: attempt.error,
                response: attempt.response,
                meaning: attempt.meaning,
                note: attempt.note,
            })
            .collect(),
        event: delivery.event,
        error: delivery.error,
        created_at_ms: time_to_ms(delivery.created_at),
        ended_at_ms: delivery.ended_at.map_or(0, time_to_ms),
    }
}

/// A request that cannot be read.
pub(super) fn unreadable(error: &ConvertError) -> Status {
    status(Code::InvalidArgument, "invalid_field", error)
}

/// The answer to what was not done. What is our own fault is logged here, once.
pub(super) fn refused(error: &AppError) -> Status {
    match error {
        AppError::NotFound(what) => status(Code::NotFound, &format!("{what}_not_found"), error),
        AppError::EndpointExists => status(Code::AlreadyExists, "endpoint_exists", error),
        AppError::EndpointDeleted => status(Code::FailedPrecondition, "endpoint_deleted", error),
        AppError::ChangedMeanwhile => status(Code::Aborted, "changed_meanwhile", error),
        AppError::Url(refusal) => status(Code::InvalidArgument, refusal.code(), error),
        AppError::TooManyEndpoints => status(Code::ResourceExhausted, "too_many_endpoints", error),
        AppError::Field(..) => status(Code::InvalidArgument, "invalid_field", error),
        AppError::CredentialsNeeded => status(Code::InvalidArgument, "credentials_needed", error),
        AppError::Credentials(_) => status(Code::InvalidArgument, "invalid_credentials", error),
        AppError::Body(_) => status(Code::InvalidArgument, "invalid_body_template", error),
        AppError::EndpointOff => status(Code::FailedPrecondition, "endpoint_off", error),
        AppError::DeliveryWaits => status(Code::FailedPrecondition, "delivery_waits", error),
        AppError::DeliveryRefused => status(Code::FailedPrecondition, "delivery_refused", error),
        AppError::DeliveryMasked => status(Code::FailedPrecondition, "delivery_masked", error),
        AppError::Answer(_) => status(Code::InvalidArgument, "invalid_answer_rules", error),
        AppError::Secret(_) => status(Code::InvalidArgument, "invalid_secret", error),
        AppError::Preferences(PreferencesError::NoPhone { .. }) => {
            status(Code::FailedPrecondition, "phone_missing", error)
        }
        AppError::Preferences(_) => status(Code::InvalidArgument, "invalid_field", error),
        AppError::TokenUnknown => status(Code::InvalidArgument, "invalid_token", error),
        AppError::BadSignature => status(Code::Unauthenticated, "bad_signature", error),
        AppError::CallbackUnreadable => status(Code::InvalidArgument, "invalid_field", error),
        AppError::NotConfigured(_) => status(Code::FailedPrecondition, "not_configured", error),
        AppError::Sample(_) => {
            tracing::error!(%error, "no sample");
            status(Code::Internal, "internal", "something went wrong on our side")
        }
        AppError::Secrets(cause) => {
            tracing::error!(error = %cause, "secrets cannot be handled");
            status(Code::Internal, "internal", "something went wrong on our side")
        }
        AppError::Database(cause) if is_passing(cause) => {
            tracing::warn!(error = %cause, "database not available");
            status(Code::Unavailable, "database_unavailable", "the database cannot be reached; try again")
        }
        AppError::Database(cause) => {
            tracing::error!(error = %cause, "database error");
            status(Code::Internal, "internal", "something went wrong on our side")
        }
    }
}
