//! A buyer's wallet and its statement.

use axum::{Json, extract::State};
use leadflow_contracts::billing::{
    ConfigureRechargeRequest, GetRechargeRequest, GetWalletRequest, ListTransactionsRequest, Recharge, Transaction,
    Wallet,
};
use leadflow_kernel::PostingId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, OK, campaigns::id_or_none};
use crate::{
    http::{
        Api,
        input::{Body, Query, limit, next_after},
        problem::{Problem, rename_fields},
        session::Me,
        table::Route,
        values::{Dollars, Time},
    },
    outbound::services::patiently,
};

/// The wallet's path; topping it up is a payment.
pub(super) const WALLET: &str = "/api/payments/wallet";
/// Lines of a statement when the caller does not say.
const USUAL_PAGE: u32 = 50;
/// A buyer's wallet is made a moment after the buyer.
pub(super) const WALLET_ON_ITS_WAY: &[&str] = &["wallet_not_found"];

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(WALLET, BUYERS, "One's wallet and its movements, the newest first", show)
            .query::<Asked>()
            .answers::<WalletView>(OK, "The wallet"),
        Route::put(WALLET, BUYERS, "Set automatic recharging; what is not given stays", configure)
            .body::<RechargeChange>()
            .answers::<RechargeAnswer>(OK, "Set"),
    ]
}

/// What is in a wallet.
#[derive(Serialize, ToSchema)]
pub(super) struct Balance {
    balance: Dollars,
    /// Not held for leads that are being sold.
    available: Dollars,
    held: Dollars,
}

impl Balance {
    pub(super) fn of(wallet: &Wallet) -> Self {
        Self {
            balance: Dollars::of(wallet.balance.as_ref()),
            available: Dollars::of(wallet.available.as_ref()),
            held: Dollars::of(wallet.held.as_ref()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Transaction)]
pub(super) struct Line {
    id: String,
    /// `CREDIT`, `LEAD_PURCHASE`, `TOP_UP`, `RECHARGE`, `LEAD_RETURN`, `CARD_REFUND` and so on.
    r#type: String,
    /// Negative for a debit.
    amount: Dollars,
    balance_before: Dollars,
    balance_after: Dollars,
    description: String,
    created_at: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    lead_assignment_id: String,
    /// Of movements of card money.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    stripe_payment_intent_id: String,
}

impl Line {
    pub(super) fn of(line: Transaction) -> Self {
        Self {
            id: line.id,
            r#type: line.r#type,
            amount: Dollars::of(line.amount.as_ref()),
            balance_before: Dollars::of(line.balance_before.as_ref()),
            balance_after: Dollars::of(line.balance_after.as_ref()),
            description: line.description,
            created_at: Time::from_ms(line.created_at_ms),
            lead_assignment_id: line.assignment_id,
            stripe_payment_intent_id: line.payment_intent_id,
        }
    }
}

/// How the wallet is filled by itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recharge)]
struct RechargeView {
    auto_recharge_enabled: bool,
    /// A message is sent, and the wallet recharged, when less than this is available.
    auto_recharge_threshold: Option<Dollars>,
    auto_recharge_amount: Option<Dollars>,
    /// More than the amount is taken when a lead that waits costs more.
    auto_recharge_covers_waiting_lead: bool,
    /// At most so many a day, on the tenant's calendar.
    auto_recharge_most_a_day: u32,
    /// Declines in a row.
    auto_recharge_declines: u32,
    /// After a decline: it is not tried again before this.
    auto_recharge_not_before: Option<Time>,
    /// In words, when the program turned it off.
    auto_recharge_turned_off_because: Option<String>,
}

impl RechargeView {
    fn of(recharge: Recharge) -> Self {
        Self {
            auto_recharge_enabled: recharge.enabled,
            auto_recharge_threshold: Dollars::known(recharge.threshold.as_ref()),
            auto_recharge_amount: Dollars::known(recharge.amount.as_ref()),
            auto_recharge_covers_waiting_lead: recharge.cover_waiting_lead,
            auto_recharge_most_a_day: recharge.most_a_day,
            auto_recharge_declines: recharge.declines,
            auto_recharge_not_before: Time::from_ms(recharge.not_before_ms),
            auto_recharge_turned_off_because: Some(recharge.turned_off_because).filter(|text| !text.is_empty()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Wallet)]
struct WalletView {
    #[serde(flatten)]
    balance: Balance,
    #[serde(flatten)]
    recharge: RechargeView,
    /// Null is unlimited.
    weekly_spending_limit: Option<Dollars>,
    /// Null is unlimited.
    monthly_spending_limit: Option<Dollars>,
    /// On the tenant's calendar, leads that are being sold included.
    spent_this_week: Dollars,
    spent_this_month: Dollars,
    /// A disputed payment keeps the wallet from buying.
    suspended: bool,
    transactions: Vec<Line>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = WalletQuestion)]
struct Asked {
    /// Movements at most, 1 to 200; 50 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextAfter` of the page before.
    after: Option<String>,
}

async fn show(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Json<WalletView>, Problem> {
    let limit = limit(asked.limit, USUAL_PAGE)?;
    let before = id_or_none::<PostingId>(asked.after, "after must be nextAfter of the page before")?;
    let (tenant, buyer_id) = (me.tenant()?, me.buyer()?.to_string());
    let get = || {
        let message = GetWalletRequest { buyer_id: buyer_id.clone() };
        let (mut billing, request) = (api.services.billing(), api.services.request(tenant, message));
        async move { billing.get_wallet(request).await }
    };
    let wallet = patiently(WALLET_ON_ITS_WAY, get).await?.into_inner();
    let message = ListTransactionsRequest { buyer_id: buyer_id.clone(), limit, before };
    let (mut billing, mut payments) = (api.services.billing(), api.services.payments());
    let (listed, recharge) = futures::join!(
        billing.list_transactions(api.services.request(tenant, message)),
        payments.get_recharge(api.services.request(tenant, GetRechargeRequest { buyer_id: buyer_id.clone() })),
    );
    let recharge = recharge?.into_inner();
    let transactions: Vec<_> = listed?.into_inner().transactions.into_iter().map(Line::of).collect();
    Ok(Json(WalletView {
        balance: Balance::of(&wallet),
        recharge: RechargeView::of(recharge),
        weekly_spending_limit: Dollars::known(wallet.weekly_limit.as_ref()),
        monthly_spending_limit: Dollars::known(wallet.monthly_limit.as_ref()),
        spent_this_week: Dollars::of(wallet.spent_this_week.as_ref()),
        spent_this_month: Dollars::of(wallet.spent_this_month.as_ref()),
        suspended: wallet.suspended,
        next_after: next_after(&transactions, limit, |line| &line.id),
        transactions,
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RechargeChange {
    auto_recharge_enabled: Option<bool>,
    auto_recharge_threshold: Option<Dollars>,
    auto_recharge_amount: Option<Dollars>,
    auto_recharge_covers_waiting_lead: Option<bool>,
    /// 1 to 20.
    auto_recharge_most_a_day: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct RechargeAnswer {
    message: &'static str,
    #[serde(flatten)]
    recharge: RechargeView,
}

async fn configure(
    State(api): State<Api>,
    me: Me,
    Body(body): Body<RechargeChange>,
) -> Result<Json<RechargeAnswer>, Problem> {
    let (tenant, buyer_id) = (me.tenant()?, me.buyer()?.to_string());
    let message = ConfigureRechargeRequest {
        buyer_id,
        enabled: body.auto_recharge_enabled,
        threshold: body.auto_recharge_threshold.map(|money| money.to_proto()),
        amount: body.auto_recharge_amount.map(|money| money.to_proto()),
        cover_waiting_lead: body.auto_recharge_covers_waiting_lead,
        most_a_day: body.auto_recharge_most_a_day,
    };
    let call = || {
        let request = api.services.request_by(&me.user, tenant, message.clone());
        let mut payments = api.services.payments();
        async move { payments.configure_recharge(request).await }
    };
    let recharge = patiently(WALLET_ON_ITS_WAY, call).await.map_err(|status| rename_fields(status.into(), NAMES))?;
    let message = "Automatic recharging is set";
    Ok(Json(RechargeAnswer { message, recharge: RechargeView::of(recharge.into_inner()) }))
}

/// What the contract's fields are called here.
const NAMES: &[(&str, &str)] = &[
    ("threshold", "autoRechargeThreshold"),
    ("amount", "autoRechargeAmount"),
    ("mostADay", "autoRechargeMostADay"),
    ("enabled", "autoRechargeEnabled"),
];
