//! A buyer's wallet and its statement.

use axum::{Json, extract::State};
use leadflow_contracts::billing::{GetWalletRequest, ListTransactionsRequest, Transaction, Wallet};
use leadflow_kernel::PostingId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, OK, campaigns::id_or_none};
use crate::{
    http::{
        Api,
        input::{Query, limit, next_after},
        problem::Problem,
        session::Me,
        table::Route,
        values::{Dollars, Time},
    },
    outbound::services::patiently,
};

/// Lines of a statement when the caller does not say.
const USUAL_PAGE: u32 = 50;
/// A buyer's wallet is made a moment after the buyer.
pub(super) const WALLET_ON_ITS_WAY: &[&str] = &["wallet_not_found"];

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/payments/wallet", BUYERS, "One's wallet and its movements, the newest first", show)
            .query::<Asked>()
            .answers::<WalletView>(OK, "The wallet"),
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
struct Line {
    id: String,
    /// `CREDIT`, `LEAD_PURCHASE` and so on.
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
}

impl Line {
    fn of(line: Transaction) -> Self {
        Self {
            id: line.id,
            r#type: line.r#type,
            amount: Dollars::of(line.amount.as_ref()),
            balance_before: Dollars::of(line.balance_before.as_ref()),
            balance_after: Dollars::of(line.balance_after.as_ref()),
            description: line.description,
            created_at: Time::from_ms(line.created_at_ms),
            lead_assignment_id: line.assignment_id,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Wallet)]
struct WalletView {
    #[serde(flatten)]
    balance: Balance,
    /// Always false: there are no cards yet.
    auto_recharge_enabled: bool,
    auto_recharge_threshold: Option<Dollars>,
    auto_recharge_amount: Option<Dollars>,
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
    let listed = api.services.billing().list_transactions(api.services.request(tenant, message)).await?.into_inner();
    let transactions: Vec<_> = listed.transactions.into_iter().map(Line::of).collect();
    Ok(Json(WalletView {
        balance: Balance::of(&wallet),
        auto_recharge_enabled: false,
        auto_recharge_threshold: None,
        auto_recharge_amount: None,
        next_after: next_after(&transactions, limit, |line| &line.id),
        transactions,
    }))
}
