//! Money from a buyer's card.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::billing::{GetPaymentRequest, Payment, PaymentKind, PaymentState as Known, TopUpRequest};
use leadflow_kernel::{EventId, PaymentId};
use leadflow_platform::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    BUYERS, OK,
    cards::nobodys,
    wallet::{Balance, Line, WALLET, WALLET_ON_ITS_WAY},
};
use crate::{
    http::{
        Api, decline,
        input::{Body, PathId, Repeat},
        problem::{Problem, away, invalid, unknown},
        session::Me,
        table::Route,
        values::{Dollars, Time},
    },
    outbound::services::patiently,
};

const ONE: &str = "/api/payments/{id}";

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post(WALLET, BUYERS, "Put money into one's wallet, from a card", top_up)
            .body::<TopUp>()
            .answers::<ToppedUp>(OK, "Paid, or to be confirmed by the card's owner with clientSecret")
            .answers::<PendingPayment>(StatusCode::ACCEPTED, "Not known yet; it settles by itself: ask at statusUrl")
            .refuses(StatusCode::PAYMENT_REQUIRED, "The card was declined; code and sentence say why"),
        Route::get(ONE, BUYERS, "What became of a payment", show).answers::<OnePayment>(OK, "The payment"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TopUp {
    amount: Dollars,
    /// The card's `id`, or the provider's; the primary card when not given.
    payment_method_id: Option<String>,
}

/// Where a payment stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PaymentStatus {
    Pending,
    Succeeded,
    Declined,
    RequiresAction,
    Canceled,
}

/// What came of it at once.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ToppedUp {
    Paid(Box<Paid>),
    ActionRequired(ActionRequired),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Paid {
    message: &'static str,
    /// `succeeded`
    status: PaymentStatus,
    payment_id: String,
    #[serde(flatten)]
    balance: Balance,
    transaction: Line,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ActionRequired {
    message: &'static str,
    /// `requires_action`
    status: PaymentStatus,
    payment_id: String,
    /// For the provider's form, with which the card's owner confirms. The wallet is credited when he has.
    client_secret: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PendingPayment {
    message: &'static str,
    /// `pending`
    status: PaymentStatus,
    payment_id: String,
    status_url: String,
}

async fn top_up(State(api): State<Api>, me: Me, repeat: Repeat, Body(body): Body<TopUp>) -> Result<Response, Problem> {
    if !body.amount.is_positive() {
        return Err(invalid("amount", "must be more than zero"));
    }
    let (tenant, buyer) = (me.tenant()?, me.buyer()?);
    let order: EventId = repeat.id(&me.user.user_id, "top-up");
    let message = TopUpRequest {
        buyer_id: buyer.to_string(),
        request_id: order.to_string(),
        amount: Some(body.amount.to_proto()),
        card: body.payment_method_id.unwrap_or_default(),
    };
    let call = || {
        let request = api.services.unhurried_by(&me.user, tenant, message.clone());
        let mut payments = api.services.payments();
        async move { payments.top_up(request).await }
    };
    let payment = patiently(WALLET_ON_ITS_WAY, call).await.map_err(nobodys)?.into_inner();
    answer(payment)
}

fn answer(payment: Payment) -> Result<Response, Problem> {
    let (status, payment_id) = (PaymentStatus::of(payment.state()), payment.id.clone());
    Ok(match payment.state() {
        Known::Succeeded => {
            let (Some(wallet), Some(line)) = (payment.wallet, payment.transaction) else { return Err(away().into()) };
            let (balance, transaction) = (Balance::of(&wallet), Line::of(line));
            let message = "Funds added";
            let paid = Paid { message, status, payment_id, balance, transaction };
            Json(ToppedUp::Paid(Box::new(paid))).into_response()
        }
        Known::RequiresAction => {
            let message = "Your bank asks you to confirm this payment";
            let client_secret = payment.client_secret;
            Json(ToppedUp::ActionRequired(ActionRequired { message, status, payment_id, client_secret }))
                .into_response()
        }
        Known::Pending | Known::Unspecified => {
            let message = "The payment is being processed";
            let status_url = ONE.replace("{id}", &payment_id);
            let pending = PendingPayment { message, status, payment_id, status_url };
            (StatusCode::ACCEPTED, Json(pending)).into_response()
        }
        Known::Declined => return Err(declined(&payment)),
        Known::Canceled => {
            let sentence = "this payment was given up before it was confirmed; nothing was charged";
            return Err(ApiError::new(StatusCode::PAYMENT_REQUIRED, "payment_canceled", sentence).into());
        }
    })
}

fn declined(payment: &Payment) -> Problem {
    let sentence = match payment.decline_message.as_str() {
        "" => "the card was declined",
        words => words,
    };
    ApiError::new(StatusCode::PAYMENT_REQUIRED, decline::told(&payment.decline_code), sentence).into()
}

impl PaymentStatus {
    const fn of(state: Known) -> Self {
        match state {
            Known::Pending | Known::Unspecified => Self::Pending,
            Known::Succeeded => Self::Succeeded,
            Known::Declined => Self::Declined,
            Known::RequiresAction => Self::RequiresAction,
            Known::Canceled => Self::Canceled,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
struct PaymentView {
    id: String,
    /// `TOP_UP` or `RECHARGE`.
    r#type: &'static str,
    status: PaymentStatus,
    amount: Dollars,
    created_at: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    stripe_payment_intent_id: String,
    /// Of one that was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Of one that was declined, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Of one that is to be confirmed.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    client_secret: String,
    /// Of one that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Line>,
}

impl PaymentView {
    fn of(payment: Payment) -> Self {
        let (state, kind) = (payment.state(), payment.kind());
        let refused = state == Known::Declined;
        Self {
            id: payment.id,
            r#type: if kind == PaymentKind::Recharge { "RECHARGE" } else { "TOP_UP" },
            status: PaymentStatus::of(state),
            amount: Dollars::of(payment.amount.as_ref()),
            created_at: Time::from_ms(payment.created_at_ms),
            stripe_payment_intent_id: payment.intent_id,
            code: refused.then(|| decline::told(&payment.decline_code)),
            error: refused.then_some(payment.decline_message),
            client_secret: payment.client_secret,
            transaction: payment.transaction.map(Line::of),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct OnePayment {
    payment: PaymentView,
}

async fn show(State(api): State<Api>, me: Me, PathId(id): PathId<PaymentId>) -> Result<Json<OnePayment>, Problem> {
    let request = api.services.request(me.tenant()?, GetPaymentRequest { payment_id: id.to_string() });
    let payment = api.services.payments().get_payment(request).await?.into_inner();
    // Another buyer's is not there.
    if payment.buyer_id != me.buyer()?.to_string() {
        return Err(unknown("payment"));
    }
    Ok(Json(OnePayment { payment: PaymentView::of(payment) }))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use leadflow_contracts::{
        billing::{Transaction, Wallet},
        common::Money,
    };
    use serde_json::{Value, json};

    use super::*;

    fn payment(state: Known) -> Payment {
        Payment { id: "pay_1".to_owned(), state: state.into(), ..Default::default() }
    }

    async fn told(payment: Payment) -> (u16, Value) {
        let response = answer(payment).unwrap_or_else(|problem| problem.into_response());
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn each_outcome_has_its_status_and_its_fields() {
        let money = |amount: &str| Some(Money { amount: amount.to_owned(), currency: "USD".to_owned() });
        let wallet =
            Wallet { balance: money("60.00"), held: money("10.00"), available: money("50.00"), ..Default::default() };
        let line = Transaction {
            id: "post_1".to_owned(),
            r#type: "TOP_UP".to_owned(),
            amount: money("50.00"),
            ..Default::default()
        };
        let paid = Payment { wallet: Some(wallet), transaction: Some(line), ..payment(Known::Succeeded) };
        let (status, body) = told(paid).await;
        assert_eq!((status, &body["balance"], &body["transaction"]["amount"]), (200, &json!(60.0), &json!(50.0)));
        assert_eq!((&body["status"], &body["paymentId"]), (&json!("succeeded"), &json!("pay_1")));

        let asks = Payment { client_secret: "pi_1_secret".to_owned(), ..payment(Known::RequiresAction) };
        let (status, body) = told(asks).await;
        assert_eq!(
            (status, &body["status"], &body["clientSecret"]),
            (200, &json!("requires_action"), &json!("pi_1_secret"))
        );

        let (status, body) = told(payment(Known::Pending)).await;
        assert_eq!(
            (status, &body["status"], &body["statusUrl"]),
            (202, &json!("pending"), &json!("/api/payments/pay_1"))
        );

        for (code, wanted) in [("insufficient_funds", "insufficient_funds"), ("stolen_card", "card_declined")] {
            let declined = Payment {
                decline_code: code.to_owned(),
                decline_message: "Words".to_owned(),
                ..payment(Known::Declined)
            };
            let (status, body) = told(declined).await;
            assert_eq!((status, &body["code"], &body["error"]), (402, &json!(wanted), &json!("Words")));
        }
        assert_eq!(told(payment(Known::Canceled)).await.0, 402);
        // Billing always says where a payment's money is.
        assert_eq!(told(payment(Known::Succeeded)).await.0, 503);
    }
}
