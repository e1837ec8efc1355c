//! A buyer's cards. Their numbers never come here: the provider's own form takes them.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::billing::{
    AttachCardRequest, Card, CreateSetupIntentRequest, ListCardsRequest, RemoveCardRequest, SetPrimaryCardRequest,
};
use leadflow_platform::{ApiError, grpc::stable_code};
use serde::{Deserialize, Serialize};
use tonic::Status;
use utoipa::ToSchema;

use super::{BUYERS, CREATED, OK, wallet::WALLET_ON_ITS_WAY};
use crate::{
    http::{
        Api, decline,
        input::{Body, Query},
        problem::{Problem, unknown},
        session::Me,
        table::Route,
        values::Time,
    },
    outbound::services::patiently,
};

const METHODS: &str = "/api/payments/methods";
const SETUP_INTENT: &str = "/api/payments/setup-intent";

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(METHODS, BUYERS, "One's cards, the primary one first", list)
            .answers::<PaymentMethods>(OK, "The cards"),
        Route::post(METHODS, BUYERS, "Store a card that the provider's form took", attach)
            .body::<NewPaymentMethod>()
            .answers::<PaymentMethodAnswer>(CREATED, "Stored; the first card is the primary one")
            .refuses(StatusCode::PAYMENT_REQUIRED, "The card was declined; it is not stored"),
        Route::put(METHODS, BUYERS, "Make a card the primary one", make_primary)
            .body::<PaymentMethodChoice>()
            .answers::<PaymentMethodAnswer>(OK, "It is charged by default, and by automatic recharging"),
        Route::delete(METHODS, BUYERS, "Remove a card", remove)
            .query::<Which>()
            .answers::<Removed>(OK, "Removed; another card is primary now, or automatic recharging is off"),
        Route::post(SETUP_INTENT, BUYERS, "Begin storing a card: what the provider's form needs", set_up)
            .answers::<SetupIntent>(OK, "For the provider's form"),
    ]
}

/// A card.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentMethod {
    id: String,
    stripe_payment_method_id: String,
    /// `visa`, `mastercard` and so on.
    brand: String,
    last4: String,
    exp_month: u32,
    exp_year: u32,
    is_primary: bool,
    created_at: Option<Time>,
}

impl PaymentMethod {
    fn of(card: Card) -> Self {
        Self {
            id: card.id,
            stripe_payment_method_id: card.payment_method_id,
            brand: card.brand,
            last4: card.last4,
            exp_month: card.exp_month,
            exp_year: card.exp_year,
            is_primary: card.is_primary,
            created_at: Time::from_ms(card.created_at_ms),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentMethods {
    payment_methods: Vec<PaymentMethod>,
}

async fn list(State(api): State<Api>, me: Me) -> Result<Json<PaymentMethods>, Problem> {
    let (tenant, buyer) = (me.tenant()?, me.buyer()?.to_string());
    let call = || {
        let request = api.services.request(tenant, ListCardsRequest { buyer_id: buyer.clone() });
        let mut payments = api.services.payments();
        async move { payments.list_cards(request).await }
    };
    let cards = patiently(WALLET_ON_ITS_WAY, call).await?.into_inner().cards;
    Ok(Json(PaymentMethods { payment_methods: cards.into_iter().map(PaymentMethod::of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewPaymentMethod {
    /// The provider's, `pm_…`.
    payment_method_id: String,
    #[serde(default)]
    set_as_primary: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentMethodAnswer {
    message: &'static str,
    payment_method: PaymentMethod,
}

async fn attach(
    State(api): State<Api>,
    me: Me,
    Body(body): Body<NewPaymentMethod>,
) -> Result<(StatusCode, Json<PaymentMethodAnswer>), Problem> {
    let message = AttachCardRequest {
        buyer_id: me.buyer()?.to_string(),
        payment_method_id: body.payment_method_id,
        set_as_primary: body.set_as_primary,
        email: me.user.email.clone(),
        name: me.user.name.clone(),
    };
    let tenant = me.tenant()?;
    let call = || {
        let request = api.services.unhurried_by(&me.user, tenant, message.clone());
        let mut payments = api.services.payments();
        async move { payments.attach_card(request).await }
    };
    let card = patiently(WALLET_ON_ITS_WAY, call).await.map_err(not_stored)?.into_inner();
    let answer = PaymentMethodAnswer { message: "Card stored", payment_method: PaymentMethod::of(card) };
    Ok((CREATED, Json(answer)))
}

/// A bank may decline a card before anything is charged.
fn not_stored(status: Status) -> Problem {
    let declined = (stable_code(&status) == "payment_refused")
        .then(|| status.message().rsplit(' ').next().and_then(decline::of_decline))
        .flatten();
    match declined {
        Some(code) => {
            let sentence = "The bank declined the card, so it is not stored. Use another card or ask the bank.";
            ApiError::new(StatusCode::PAYMENT_REQUIRED, code, sentence).into()
        }
        None => nobodys(status),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentMethodChoice {
    /// The card's `id`, or the provider's.
    payment_method_id: String,
}

async fn make_primary(
    State(api): State<Api>,
    me: Me,
    Body(body): Body<PaymentMethodChoice>,
) -> Result<Json<PaymentMethodAnswer>, Problem> {
    let message = SetPrimaryCardRequest { buyer_id: me.buyer()?.to_string(), card: body.payment_method_id };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let card = api.services.payments().set_primary_card(request).await.map_err(nobodys)?.into_inner();
    let answer = PaymentMethodAnswer { message: "Primary card changed", payment_method: PaymentMethod::of(card) };
    Ok(Json(answer))
}

/// What is no id of a card is nobody's card.
pub(super) fn nobodys(status: Status) -> Problem {
    let problem = Problem::from(status);
    if problem.0.fields.contains_key("card") { unknown("card") } else { problem }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = WhichPaymentMethod)]
struct Which {
    /// The card's, or the provider's.
    id: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RemovedPaymentMethod)]
struct Removed {
    message: &'static str,
    /// The `id` of the card that is primary now; null when none is left.
    primary_payment_method_id: Option<String>,
    /// It was the last one, and automatic recharging was on.
    auto_recharge_turned_off: bool,
}

async fn remove(State(api): State<Api>, me: Me, Query(which): Query<Which>) -> Result<Json<Removed>, Problem> {
    let message = RemoveCardRequest { buyer_id: me.buyer()?.to_string(), card: which.id };
    let request = api.services.unhurried_by(&me.user, me.tenant()?, message);
    let removed = api.services.payments().remove_card(request).await.map_err(nobodys)?.into_inner();
    let message = if removed.recharge_turned_off {
        "Card removed; it was the last one, so automatic recharging was turned off"
    } else {
        "Card removed"
    };
    Ok(Json(Removed {
        message,
        primary_payment_method_id: Some(removed.primary_card_id).filter(|id| !id.is_empty()),
        auto_recharge_turned_off: removed.recharge_turned_off,
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SetupIntent {
    client_secret: String,
    customer_id: String,
    publishable_key: String,
}

async fn set_up(State(api): State<Api>, me: Me) -> Result<Json<SetupIntent>, Problem> {
    let message = CreateSetupIntentRequest {
        buyer_id: me.buyer()?.to_string(),
        email: me.user.email.clone(),
        name: me.user.name.clone(),
    };
    let tenant = me.tenant()?;
    let call = || {
        let request = api.services.unhurried_by(&me.user, tenant, message.clone());
        let mut payments = api.services.payments();
        async move { payments.create_setup_intent(request).await }
    };
    let intent = patiently(WALLET_ON_ITS_WAY, call).await?.into_inner();
    Ok(Json(SetupIntent {
        client_secret: intent.client_secret,
        customer_id: intent.customer_id,
        publishable_key: intent.publishable_key,
    }))
}

#[cfg(test)]
mod tests {
    use leadflow_platform::grpc::status;
    use tonic::Code;

    use super::*;

    #[test]
    fn a_card_that_is_declined_at_once_is_402_and_other_refusals_stay() {
        let refused = |code: &str| {
            let sentence = format!("the payment provider refused: {code}");
            not_stored(status(Code::FailedPrecondition, "payment_refused", sentence)).0
        };
        assert_eq!((refused("stolen_card").status.as_u16(), refused("stolen_card").code), (402, "card_declined"));
        assert_eq!(refused("expired_card").code, "expired_card");
        assert_eq!((refused("not_a_card").status.as_u16(), refused("not_a_card").code), (409, "payment_refused"));
        let no_id = status(Code::InvalidArgument, "invalid_field", "card: must be an id of a card");
        assert_eq!(not_stored(no_id).0.code, "card_not_found");
    }
}
