//! What those do who run the platform: they see tenants, and put them out of use and in again.

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::{GetSellerRequest, ListSellersRequest, SellerRow, UpdateSellerRequest},
    common,
};
use leadflow_kernel::SellerId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ADMINS, OK};
use crate::http::{
    Api,
    input::{Page, PathId, Query, next_after},
    problem::{Problem, bad_query},
    session::Me,
    table::Route,
    values::Time,
};

/// The longest text that is searched for.
const MAX_SEARCH: usize = 100;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/admin/sellers", ADMINS, "Tenants, the newest first", list)
            .query::<Asked>()
            .answers::<Sellers>(OK, "Tenants"),
        Route::get("/api/admin/sellers/{id}", ADMINS, "A tenant", show).answers::<OneSeller>(OK, "The tenant"),
        Route::post("/api/admin/sellers/{id}/suspend", ADMINS, "Put a tenant out of use", suspend)
            .answers::<SellerAnswer>(OK, "Suspended: its people are signed out, and its suppliers' keys do not work"),
        Route::post("/api/admin/sellers/{id}/reactivate", ADMINS, "Put a tenant in use again", reactivate)
            .answers::<SellerAnswer>(OK, "In use again: its people can sign in, and its suppliers' keys work"),
    ]
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum SellerStatus {
    Active,
    Suspended,
    Archived,
}

impl SellerStatus {
    const fn of(status: common::Status) -> Self {
        match status {
            common::Status::Active => Self::Active,
            common::Status::Paused => Self::Suspended,
            common::Status::Archived | common::Status::Unspecified => Self::Archived,
        }
    }

    const fn to_proto(self) -> common::Status {
        match self {
            Self::Active => common::Status::Active,
            Self::Suspended => common::Status::Paused,
            Self::Archived => common::Status::Archived,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Seller)]
struct SellerView {
    id: String,
    company_name: String,
    status: SellerStatus,
    time_zone: String,
    currency: String,
    created_at: Option<Time>,
    /// Of the one who has owned it longest.
    owner_email: String,
    team: u32,
    buyers: u32,
    suppliers: u32,
}

impl SellerView {
    fn of(row: SellerRow) -> Self {
        let seller = row.seller.unwrap_or_default();
        Self {
            status: SellerStatus::of(seller.status()),
            id: seller.seller_id,
            company_name: seller.company_name,
            time_zone: seller.time_zone,
            currency: seller.currency,
            created_at: Time::from_ms(row.created_at_ms),
            owner_email: row.owner_email,
            team: row.team_count,
            buyers: row.buyer_count,
            suppliers: row.supplier_count,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sellers {
    sellers: Vec<SellerView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct OneSeller {
    seller: SellerView,
}

#[derive(Serialize, ToSchema)]
struct SellerAnswer {
    message: &'static str,
    seller: SellerView,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = SellerQuestion)]
struct Asked {
    /// Part of the company's name, or of the e-mail of somebody of its team.
    #[schema(max_length = 100)]
    search: Option<String>,
    status: Option<SellerStatus>,
    /// Entries at most, 1 to 200; 100 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `nextAfter` of the page before.
    after: Option<String>,
}

async fn list(State(api): State<Api>, Query(asked): Query<Asked>) -> Result<Json<Sellers>, Problem> {
    let Asked { search, status, limit, after } = asked;
    let (limit, after) = Page { limit, after }.bounds::<SellerId>()?;
    let search = search.unwrap_or_default();
    if search.chars().count() > MAX_SEARCH {
        return Err(bad_query(format!("search must have at most {MAX_SEARCH} characters")));
    }
    let statuses = status.map(|status| status.to_proto().into()).into_iter().collect();
    let message = ListSellersRequest { limit, after, search, statuses };
    let listed = api.services.accounts().list_sellers(api.services.unbound(message)).await?.into_inner();
    let sellers: Vec<_> = listed.sellers.into_iter().map(SellerView::of).collect();
    Ok(Json(Sellers { next_after: next_after(&sellers, limit, |seller| &seller.id), sellers }))
}

async fn show(State(api): State<Api>, PathId(id): PathId<SellerId>) -> Result<Json<OneSeller>, Problem> {
    Ok(Json(OneSeller { seller: get(&api, id).await? }))
}

async fn get(api: &Api, id: SellerId) -> Result<SellerView, Problem> {
    let message = GetSellerRequest { seller_id: id.to_string() };
    Ok(SellerView::of(api.services.accounts().get_seller(api.services.unbound(message)).await?.into_inner()))
}

async fn suspend(State(api): State<Api>, me: Me, PathId(id): PathId<SellerId>) -> Result<Json<SellerAnswer>, Problem> {
    put(&api, &me, id, SellerStatus::Suspended, "Suspended").await
}

async fn reactivate(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SellerId>,
) -> Result<Json<SellerAnswer>, Problem> {
    put(&api, &me, id, SellerStatus::Active, "In use again").await
}

async fn put(
    api: &Api,
    me: &Me,
    id: SellerId,
    status: SellerStatus,
    message: &'static str,
) -> Result<Json<SellerAnswer>, Problem> {
    let change =
        UpdateSellerRequest { seller_id: id.to_string(), status: Some(status.to_proto().into()), ..Default::default() };
    api.services.accounts().update_seller(api.services.request_by(&me.user, id, change)).await?;
    Ok(Json(SellerAnswer { message, seller: get(api, id).await? }))
}
