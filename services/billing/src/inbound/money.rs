//! The calls of the gRPC service `Payments` that are about money: top-ups, recharging, refunds.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{PaymentKind, PaymentState, Recharge, RefundState, Wallet, decline};
use leadflow_contracts::{billing as proto, money_to_proto, optional_money, time_to_ms};
use leadflow_platform::grpc::{actor, tenant};
use tonic::{Request, Response, Status};

use super::convert::{
    self, LONGEST_DESCRIPTION, has_controls, invalid, read_id, read_money, read_price, refused, request_id,
};
use crate::{
    app::payments::{NewRefund, NewTopUp, PaymentView, Payments, RechargeChange},
    outbound::events::amount,
    store::refunds::Refund,
};

/// A name of a card, ours or the provider's.
const LONGEST_CARD: usize = 255;

pub(super) async fn top_up(
    payments: &Payments,
    request: Request<proto::TopUpRequest>,
) -> Result<Response<proto::Payment>, Status> {
    let tenant = tenant(&request)?;
    let request = request.into_inner();
    if request.card.len() > LONGEST_CARD || has_controls(&request.card) {
        return Err(invalid("card: must be an id of a card"));
    }
    let new = NewTopUp {
        seller: tenant,
        buyer: read_id(&request.buyer_id, "buyer_id")?,
        amount: read_money(request.amount.as_ref(), "amount")?,
        request: request_id(request.request_id)?,
        card: request.card,
    };
    let view = payments.top_up(new).await.map_err(|error| refused(&error))?;
    Ok(Response::new(payment_to_proto(&view, payments.billing().clock().now())?))
}

pub(super) async fn get_payment(
    payments: &Payments,
    request: &Request<proto::GetPaymentRequest>,
) -> Result<Response<proto::Payment>, Status> {
    let tenant = tenant(request)?;
    let id = read_id(&request.get_ref().payment_id, "payment_id")?;
    let view = payments.payment(tenant, id).await.map_err(|error| refused(&error))?;
    Ok(Response::new(payment_to_proto(&view, payments.billing().clock().now())?))
}

pub(super) async fn get_recharge(
    payments: &Payments,
    request: &Request<proto::GetRechargeRequest>,
) -> Result<Response<proto::Recharge>, Status> {
    let tenant = tenant(request)?;
    let buyer = read_id(&request.get_ref().buyer_id, "buyer_id")?;
    let (recharge, wallet) = payments.recharge_settings(tenant, buyer).await.map_err(|error| refused(&error))?;
    Ok(Response::new(recharge_to_proto(&recharge, &wallet)))
}

pub(super) async fn configure_recharge(
    payments: &Payments,
    request: &Request<proto::ConfigureRechargeRequest>,
) -> Result<Response<proto::Recharge>, Status> {
    let (tenant, actor) = (tenant(request)?, actor(request)?);
    let request = request.get_ref();
    let buyer = read_id(&request.buyer_id, "buyer_id")?;
    let threshold = request.threshold.is_some().then(|| read_price(request.threshold.as_ref(), "threshold"));
    let change = RechargeChange {
        enabled: request.enabled,
        threshold: threshold.transpose()?,
        amount: optional_money(request.amount.as_ref(), "amount").map_err(invalid)?,
        cover_waiting_lead: request.cover_waiting_lead,
        most_a_day: request.most_a_day,
    };
    let (recharge, wallet) =
        payments.configure_recharge(actor, tenant, buyer, change).await.map_err(|error| refused(&error))?;
    Ok(Response::new(recharge_to_proto(&recharge, &wallet)))
}

pub(super) async fn refund_balance(
    payments: &Payments,
    request: Request<proto::RefundBalanceRequest>,
) -> Result<Response<proto::RefundBalanceResponse>, Status> {
    let (tenant, actor) = (tenant(&request)?, actor(&request)?);
    let request = request.into_inner();
    if request.reason.chars().count() > LONGEST_DESCRIPTION || has_controls(&request.reason) {
        return Err(invalid(format_args!("reason: must be at most {LONGEST_DESCRIPTION} printable characters")));
    }
    let new = NewRefund {
        seller: tenant,
        buyer: read_id(&request.buyer_id, "buyer_id")?,
        request: request_id(request.request_id)?,
        amount: read_money(request.amount.as_ref(), "amount")?,
        reason: request.reason,
    };
    let refunded = payments.refund_balance(actor, new).await.map_err(|error| refused(&error))?;
    Ok(Response::new(proto::RefundBalanceResponse {
        refunds: refunded.refunds.iter().map(|refund| refund_to_proto(refund, &refunded.wallet)).collect(),
        wallet: Some(convert::wallet_to_proto(&refunded.wallet, payments.billing().clock().now())),
    }))
}

fn payment_to_proto(view: &PaymentView, now: DateTime<Utc>) -> Result<proto::Payment, Status> {
    let PaymentView { payment, wallet, line } = view;
    let code = payment.decline_code.clone().unwrap_or_default();
    Ok(proto::Payment {
        id: payment.id.to_string(),
        kind: match payment.kind {
            PaymentKind::TopUp => proto::PaymentKind::TopUp.into(),
            PaymentKind::Recharge => proto::PaymentKind::Recharge.into(),
        },
        state: match payment.state {
            PaymentState::Pending => proto::PaymentState::Pending.into(),
            PaymentState::RequiresAction => proto::PaymentState::RequiresAction.into(),
            PaymentState::Declined => proto::PaymentState::Declined.into(),
            PaymentState::Canceled => proto::PaymentState::Canceled.into(),
            PaymentState::Succeeded => proto::PaymentState::Succeeded.into(),
        },
        amount: Some(money_to_proto(payment.amount)),
        decline_message: if code.is_empty() { String::new() } else { decline::sentence(&code).to_owned() },
        decline_code: code,
        client_secret: payment.client_secret.clone().unwrap_or_default(),
        intent_id: payment.intent.clone().unwrap_or_default(),
        posting_id: payment.posting.map(|id| id.to_string()).unwrap_or_default(),
        wallet: Some(convert::wallet_to_proto(wallet, now)),
        created_at_ms: time_to_ms(payment.created_at),
        buyer_id: payment.buyer.to_string(),
        transaction: line.as_ref().map(|line| convert::line_to_proto(line, wallet.terms.currency)).transpose()?,
    })
}

fn recharge_to_proto(recharge: &Recharge, wallet: &Wallet) -> proto::Recharge {
    proto::Recharge {
        enabled: recharge.enabled,
        threshold: Some(amount(wallet, wallet.low_balance_threshold)),
        amount: Some(amount(wallet, recharge.amount)),
        cover_waiting_lead: recharge.cover_waiting_lead,
        most_a_day: recharge.most_a_day,
        not_before_ms: recharge.not_before.map_or(0, time_to_ms),
        declines: recharge.declines,
        turned_off_because: recharge.turned_off_because.clone(),
    }
}

fn refund_to_proto(refund: &Refund, wallet: &Wallet) -> proto::CardRefund {
    proto::CardRefund {
        id: refund.id.to_string(),
        payment_id: refund.payment.to_string(),
        amount: Some(amount(wallet, refund.amount)),
        state: match refund.state {
            RefundState::Pending => proto::RefundState::Pending.into(),
            RefundState::Succeeded => proto::RefundState::Succeeded.into(),
            RefundState::Failed => proto::RefundState::Failed.into(),
        },
    }
}
