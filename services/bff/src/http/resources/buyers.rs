//! A seller's buyers.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::{
        AddBuyerRequest, Buyer, CreateBuyerRequest, GetBuyerRequest, ListBuyersRequest, ListUsersRequest,
        UpdateBuyerRequest, User,
    },
    billing::{CreditWalletRequest, GetWalletRequest},
    distribution::{Dimension, Sum, SumByRequest},
};
use leadflow_kernel::{BuyerId, EventId, SellerId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CREATED, OK, SEEING_SELLERS, SELLERS, Standing, TENANT,
    wallet::{Balance, WALLET_ON_ITS_WAY},
};
use crate::{
    http::{
        Api, dates,
        input::{Body, Page, PathId, Query, Repeat, next_after},
        problem::{Problem, away, invalid, unknown},
        session::Me,
        table::Route,
        values::{Dollars, Time, present},
        versions::{IfMatch, Versioned, put_back},
    },
    outbound::services::patiently,
};

const LIST: &str = "/api/buyers";
const ONE: &str = "/api/buyers/{id}";
const CREDITS: &str = "/api/buyers/{id}/credits";
/// The longest reason of a movement.
const MAX_REASON: usize = 400;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(LIST, SEEING_SELLERS, "Buyers", list).query::<Page>().answers::<Buyers>(OK, "Buyers"),
        Route::post(LIST, SELLERS, "Make a buyer, with an e-mail to sign in by if wished", create)
            .body::<NewBuyer>()
            .answers::<BuyerAnswer>(CREATED, "Made")
            .versioned(),
        Route::get(ONE, TENANT, "A buyer; of a buyer, himself", show).answers::<OneBuyer>(OK, "The buyer").versioned(),
        Route::put(ONE, SELLERS, "Change a buyer; what is not given stays", update)
            .body::<BuyerChange>()
            .answers::<BuyerAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(ONE, SELLERS, "Deactivate a buyer", deactivate)
            .answers::<BuyerAnswer>(OK, "Deactivated; what was bought and the money stay")
            .versioned(),
        Route::post(CREDITS, SELLERS, "Add money to a buyer's wallet", credit)
            .body::<Credit>()
            .answers::<Credited>(CREATED, "Added"),
    ]
}

#[derive(Serialize, ToSchema)]
struct BuyerUser {
    id: String,
    name: String,
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    phone: String,
}

/// Of the last 400 days.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BuyerStats {
    /// Leads bought.
    leads: u64,
    spent: Dollars,
    last_purchase_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Buyer)]
struct BuyerView {
    id: String,
    company_name: String,
    status: Standing,
    /// 1-10.
    priority: u32,
    weekly_spending_limit: Option<Dollars>,
    monthly_spending_limit: Option<Dollars>,
    /// Who signs in for him; null for nobody.
    user: Option<BuyerUser>,
    /// Null while they cannot be counted.
    stats: Option<BuyerStats>,
    /// Of a single buyer; null while billing is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<Balance>,
    #[serde(skip)]
    version: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Buyers {
    buyers: Vec<BuyerView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct OneBuyer {
    buyer: BuyerView,
}

#[derive(Serialize, ToSchema)]
struct BuyerAnswer {
    message: &'static str,
    buyer: BuyerView,
}

/// Buyers with who signs in for them and what they bought. What cannot be had now is left out.
async fn views(api: &Api, tenant: SellerId, buyers: Vec<Buyer>) -> Vec<BuyerView> {
    if buyers.is_empty() {
        return Vec::new();
    }
    let ids: Vec<String> = buyers.iter().map(|buyer| buyer.buyer_id.clone()).collect();
    let users = ListUsersRequest { buyer_ids: ids.clone(), ..Default::default() };
    let (from_ms, until_ms) = dates::counted(api.clock.as_ref());
    let sums = SumByRequest { dimension: Dimension::Buyer.into(), ids, from_ms, until_ms, ..Default::default() };
    let (mut people, mut catalogue) = (api.services.people(), api.services.catalogue());
    let (users, sums) = futures::join!(
        people.list_users(api.services.request(tenant, users)),
        catalogue.sum_by(api.services.request(tenant, sums)),
    );
    let users: Vec<User> = users.map(|answer| answer.into_inner().users).unwrap_or_default();
    let sums: Option<Vec<Sum>> = sums.map(|answer| answer.into_inner().sums).ok();
    buyers
        .into_iter()
        .map(|buyer| {
            let status = Standing::of(buyer.status());
            let user = users.iter().find(|user| user.buyer_id == buyer.buyer_id);
            let stats = sums.as_ref().map(|sums| {
                let sum = sums.iter().find(|sum| sum.id == buyer.buyer_id);
                BuyerStats {
                    leads: sum.map_or(0, |sum| sum.assignments),
                    spent: Dollars::of(sum.and_then(|sum| sum.revenue.as_ref())),
                    last_purchase_at: sum.and_then(|sum| Time::from_ms(sum.last_at_ms)),
                }
            });
            BuyerView {
                id: buyer.buyer_id,
                company_name: buyer.company_name,
                status,
                priority: buyer.priority,
                weekly_spending_limit: Dollars::known(buyer.weekly_spending_limit.as_ref()),
                monthly_spending_limit: Dollars::known(buyer.monthly_spending_limit.as_ref()),
                user: user.cloned().map(|user| BuyerUser {
                    id: user.user_id,
                    name: user.name,
                    email: user.email,
                    phone: user.phone,
                }),
                stats,
                wallet: None,
                version: buyer.version,
            }
        })
        .collect()
}

async fn view(api: &Api, tenant: SellerId, buyer: Buyer) -> Result<BuyerView, Problem> {
    views(api, tenant, vec![buyer]).await.into_iter().next().ok_or_else(|| away().into())
}

async fn list(State(api): State<Api>, me: Me, Query(page): Query<Page>) -> Result<Json<Buyers>, Problem> {
    let (limit, after) = page.bounds::<BuyerId>()?;
    let tenant = me.tenant()?;
    let request = api.services.request(tenant, ListBuyersRequest { limit, after });
    let listed = api.services.accounts().list_buyers(request).await?.into_inner().buyers;
    let buyers = views(&api, tenant, listed).await;
    Ok(Json(Buyers { next_after: next_after(&buyers, limit, |buyer| &buyer.id), buyers }))
}

async fn show(State(api): State<Api>, me: Me, PathId(id): PathId<BuyerId>) -> Result<Versioned<OneBuyer>, Problem> {
    let tenant = me.tenant()?;
    // A buyer is alone in the world.
    if me.buyer().is_ok_and(|own| own != id) {
        return Err(unknown("buyer"));
    }
    let buyer = get(&api, tenant, id).await?;
    let wallet = api.services.request(tenant, GetWalletRequest { buyer_id: id.to_string() });
    let mut billing = api.services.billing();
    let (view, wallet) = futures::join!(view(&api, tenant, buyer), billing.get_wallet(wallet));
    let wallet = wallet.ok().map(|wallet| Balance::of(&wallet.into_inner()));
    let buyer = BuyerView { wallet, ..view? };
    Ok(Versioned(buyer.version, OneBuyer { buyer }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewBuyer {
    company_name: String,
    /// To sign in by; without one nobody signs in for this buyer.
    email: Option<String>,
    /// Of that person; the company's when not given.
    name: Option<String>,
    /// Without one, a link to choose one is sent to the e-mail.
    password: Option<String>,
    phone: Option<String>,
    /// 1-10; 5 when not given.
    priority: Option<u32>,
    weekly_spending_limit: Option<Dollars>,
    monthly_spending_limit: Option<Dollars>,
}

async fn create(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewBuyer>,
) -> Result<(StatusCode, Versioned<BuyerAnswer>), Problem> {
    let tenant = me.tenant()?;
    // To the service 0 is the usual one.
    if body.priority == Some(0) {
        return Err(invalid("priority", "must be 1 to 10"));
    }
    let id: BuyerId = repeat.id(&me.user.user_id, "buyer");
    let buyer = match body.email.clone() {
        None => {
            let message = CreateBuyerRequest {
                buyer_id: id.to_string(),
                company_name: body.company_name,
                priority: body.priority.unwrap_or(0),
                weekly_spending_limit: body.weekly_spending_limit.map(|limit| limit.to_proto()),
                monthly_spending_limit: body.monthly_spending_limit.map(|limit| limit.to_proto()),
            };
            api.services.accounts().create_buyer(api.services.request_by(&me.user, tenant, message)).await?.into_inner()
        }
        Some(email) => {
            let user_id: UserId = repeat.id(&me.user.user_id, "buyer's user");
            let message = AddBuyerRequest {
                user_id: user_id.to_string(),
                buyer_id: id.to_string(),
                email,
                password: body.password.unwrap_or_default(),
                name: body.name.unwrap_or_else(|| body.company_name.clone()),
                company_name: body.company_name,
                phone: body.phone.unwrap_or_default(),
                priority: body.priority.unwrap_or(0),
                weekly_spending_limit: body.weekly_spending_limit.map(|limit| limit.to_proto()),
                monthly_spending_limit: body.monthly_spending_limit.map(|limit| limit.to_proto()),
            };
            api.services.people().add_buyer(api.services.request_by(&me.user, tenant, message)).await?;
            get(&api, tenant, id).await?
        }
    };
    let buyer = view(&api, tenant, buyer).await?;
    Ok((CREATED, Versioned(buyer.version, BuyerAnswer { message: "Buyer created", buyer })))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BuyerChange {
    company_name: Option<String>,
    status: Option<Standing>,
    priority: Option<u32>,
    /// Null removes the limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Dollars>)]
    weekly_spending_limit: Option<Option<Dollars>>,
    /// Null removes the limit.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Dollars>)]
    monthly_spending_limit: Option<Option<Dollars>>,
}

async fn update(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<BuyerId>,
    if_match: IfMatch,
    Body(body): Body<BuyerChange>,
) -> Result<Versioned<BuyerAnswer>, Problem> {
    let limit = |change: &Option<Option<Dollars>>| change.as_ref().and_then(Option::as_ref).map(Dollars::to_proto);
    let message = UpdateBuyerRequest {
        buyer_id: id.to_string(),
        status: body.status.map(|status| status.to_proto().into()),
        priority: body.priority,
        weekly_spending_limit: limit(&body.weekly_spending_limit),
        monthly_spending_limit: limit(&body.monthly_spending_limit),
        clear_weekly_spending_limit: body.weekly_spending_limit == Some(None),
        clear_monthly_spending_limit: body.monthly_spending_limit == Some(None),
        company_name: body.company_name,
        expected_version: None,
    };
    change(&api, &me, id, &if_match, message, "Buyer updated").await
}

async fn deactivate(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<BuyerId>,
    if_match: IfMatch,
) -> Result<Versioned<BuyerAnswer>, Problem> {
    let status = Some(Standing::Inactive.to_proto().into());
    let message = UpdateBuyerRequest { buyer_id: id.to_string(), status, ..Default::default() };
    change(&api, &me, id, &if_match, message, "Buyer deactivated").await
}

async fn change(
    api: &Api,
    me: &Me,
    id: BuyerId,
    if_match: &IfMatch,
    change: UpdateBuyerRequest,
    message: &'static str,
) -> Result<Versioned<BuyerAnswer>, Problem> {
    let tenant = me.tenant()?;
    let update = |expected_version| {
        let message = UpdateBuyerRequest { expected_version, ..change.clone() };
        let (mut accounts, request) = (api.services.accounts(), api.services.request_by(&me.user, tenant, message));
        async move { Ok(accounts.update_buyer(request).await?.into_inner()) }
    };
    // A change names what it changes: without a version that matters nothing needs to be read.
    let changed: Result<Buyer, Problem> = if if_match.is_given() {
        put_back(if_match, || get(api, tenant, id), |known: &Buyer| known.version, |known| update(Some(known.version)))
            .await
    } else {
        update(None).await
    };
    let buyer = view(api, tenant, changed?).await?;
    Ok(Versioned(buyer.version, BuyerAnswer { message, buyer }))
}

async fn get(api: &Api, tenant: SellerId, id: BuyerId) -> Result<Buyer, Problem> {
    let request = api.services.request(tenant, GetBuyerRequest { buyer_id: id.to_string() });
    Ok(api.services.accounts().get_buyer(request).await?.into_inner())
}

/// Why money is moved by hand.
pub(super) fn reason(text: &str) -> Result<&str, Problem> {
    let reason = text.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(invalid("reason", "must have 1 to 400 printable characters"));
    }
    Ok(reason)
}

#[derive(Deserialize, ToSchema)]
struct Credit {
    amount: Dollars,
    /// Kept with the movement.
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct Credited {
    message: &'static str,
    wallet: Balance,
}

async fn credit(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<BuyerId>,
    repeat: Repeat,
    Body(body): Body<Credit>,
) -> Result<(StatusCode, Json<Credited>), Problem> {
    let tenant = me.tenant()?;
    let reason = reason(&body.reason)?;
    if !body.amount.is_positive() {
        return Err(invalid("amount", "must be more than zero"));
    }
    // Only a buyer that is there is waited for.
    get(&api, tenant, id).await?;
    // Whose hand it was is part of the movement's own id.
    let movement: EventId = repeat.id(&me.user.user_id, &format!("credit {id}"));
    let message = CreditWalletRequest {
        buyer_id: id.to_string(),
        credit_id: format!("{} by {}", movement, me.user.user_id),
        amount: Some(body.amount.to_proto()),
        description: reason.to_owned(),
    };
    let call = || {
        let (mut billing, request) =
            (api.services.billing(), api.services.request_by(&me.user, tenant, message.clone()));
        async move { billing.credit_wallet(request).await }
    };
    let credited = patiently(WALLET_ON_ITS_WAY, call).await?.into_inner();
    let wallet = Balance::of(&credited.wallet.ok_or_else(away)?);
    let message = if credited.credited_now { "Wallet credited" } else { "Wallet was credited before" };
    Ok((CREATED, Json(Credited { message, wallet })))
}
