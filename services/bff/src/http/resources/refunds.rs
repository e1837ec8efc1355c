//! Unspent balance goes back to the cards that it came from.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::GetBuyerRequest,
    billing::{CardRefund, RefundBalanceRequest, RefundState},
};
use leadflow_kernel::{BuyerId, EventId, SellerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ADMINS, CREATED, SELLERS, buyers::reason, wallet::Balance};
use crate::http::{
    Api,
    input::{Body, PathId, Repeat},
    problem::{Problem, away, invalid, unknown},
    session::Me,
    table::Route,
    values::Dollars,
};

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/buyers/{id}/refund", SELLERS, "Give unspent balance back to a buyer's cards", refund)
            .body::<Refund>()
            .answers::<Refunded>(CREATED, "Taken from the wallet, and on its way"),
        Route::post(
            "/api/admin/sellers/{id}/refund",
            ADMINS,
            "Give unspent balance back to the cards of a tenant's buyer",
            by_platform,
        )
        .body::<PlatformRefund>()
        .answers::<Refunded>(CREATED, "Taken from the wallet, and on its way"),
    ]
}

#[derive(Deserialize, ToSchema)]
struct Refund {
    amount: Dollars,
    /// Kept with the movement.
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PlatformRefund {
    /// One of the tenant's.
    buyer_id: String,
    amount: Dollars,
    /// Kept with the movement.
    reason: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RefundStatus {
    /// The provider has not answered yet.
    Pending,
    Succeeded,
    /// The money is in the wallet again.
    Failed,
}

/// One payment's part.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CardRefund)]
struct RefundView {
    id: String,
    payment_id: String,
    amount: Dollars,
    status: RefundStatus,
}

impl RefundView {
    fn of(refund: CardRefund) -> Self {
        let status = match refund.state() {
            RefundState::Succeeded => RefundStatus::Succeeded,
            RefundState::Failed => RefundStatus::Failed,
            RefundState::Pending | RefundState::Unspecified => RefundStatus::Pending,
        };
        let amount = Dollars::of(refund.amount.as_ref());
        Self { id: refund.id, payment_id: refund.payment_id, amount, status }
    }
}

#[derive(Serialize, ToSchema)]
struct Refunded {
    message: &'static str,
    /// The newest payments are given back first.
    refunds: Vec<RefundView>,
    wallet: Balance,
}

async fn refund(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<BuyerId>,
    repeat: Repeat,
    Body(body): Body<Refund>,
) -> Result<(StatusCode, Json<Refunded>), Problem> {
    let tenant = me.tenant()?;
    give_back(&api, &me, tenant, id, &repeat, body).await
}

async fn by_platform(
    State(api): State<Api>,
    me: Me,
    PathId(tenant): PathId<SellerId>,
    repeat: Repeat,
    Body(body): Body<PlatformRefund>,
) -> Result<(StatusCode, Json<Refunded>), Problem> {
    let id = body.buyer_id.parse().map_err(|_| unknown("buyer"))?;
    give_back(&api, &me, tenant, id, &repeat, Refund { amount: body.amount, reason: body.reason }).await
}

async fn give_back(
    api: &Api,
    me: &Me,
    tenant: SellerId,
    id: BuyerId,
    repeat: &Repeat,
    body: Refund,
) -> Result<(StatusCode, Json<Refunded>), Problem> {
    let reason = reason(&body.reason)?;
    if !body.amount.is_positive() {
        return Err(invalid("amount", "must be more than zero"));
    }
    let request = api.services.request(tenant, GetBuyerRequest { buyer_id: id.to_string() });
    api.services.accounts().get_buyer(request).await?;
    let order: EventId = repeat.id(&me.user.user_id, &format!("refund {id}"));
    let message = RefundBalanceRequest {
        buyer_id: id.to_string(),
        request_id: order.to_string(),
        amount: Some(body.amount.to_proto()),
        reason: reason.to_owned(),
    };
    let request = api.services.unhurried_by(&me.user, tenant, message);
    let refunded = api.services.payments().refund_balance(request).await?.into_inner();
    let wallet = Balance::of(&refunded.wallet.ok_or_else(away)?);
    let refunds = refunded.refunds.into_iter().map(RefundView::of).collect();
    Ok((CREATED, Json(Refunded { message: "Refund is on its way", refunds, wallet })))
}
