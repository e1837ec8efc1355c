//! A seller's suppliers and their API keys.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::{
        ApiKeyInfo, CategoryList, CreateApiKeyRequest, CreateSupplierRequest, GetSupplierRequest, ListSuppliersRequest,
        RotateApiKeyRequest, Supplier, UpdateSupplierRequest,
    },
    distribution::{Dimension, SumByRequest},
};
use leadflow_kernel::{ApiKeyId, SellerId, SupplierId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CREATED, OK, SEEING_SELLERS, SELLERS, Standing, categories};
use crate::http::{
    Api, dates,
    input::{Body, Page, PathId, Query, Repeat, next_after},
    problem::{Problem, away, invalid},
    session::Me,
    table::Route,
    values::Time,
    versions::{IfMatch, Versioned, put_back},
};

const LIST: &str = "/api/suppliers";
const ONE: &str = "/api/suppliers/{id}";
const ROTATE: &str = "/api/suppliers/{id}/rotate-key";
/// How long the keys before work beside a new one unless the seller says otherwise: a day.
const USUAL_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
/// The most categories a request may name: each is looked up.
const MAX_CATEGORIES: usize = 100;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(LIST, SEEING_SELLERS, "Suppliers", list).query::<Page>().answers::<Suppliers>(OK, "Suppliers"),
        Route::post(LIST, SELLERS, "Make a supplier with an API key", create)
            .body::<NewSupplier>()
            .answers::<WithKey>(CREATED, "Made; the key is shown this once"),
        Route::get(ONE, SEEING_SELLERS, "A supplier", show).answers::<OneSupplier>(OK, "The supplier").versioned(),
        Route::put(ONE, SELLERS, "Change a supplier; what is not given stays", update)
            .body::<SupplierChange>()
            .answers::<SupplierAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(ONE, SELLERS, "Deactivate a supplier", deactivate)
            .answers::<SupplierAnswer>(OK, "Deactivated; its keys no longer work, its leads stay")
            .versioned(),
        Route::post(ROTATE, SELLERS, "Make a new API key in place of the others", rotate)
            .body::<Rotation>()
            .answers::<WithKey>(OK, "Made; the key is shown this once"),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKey {
    id: String,
    /// Its first characters.
    hint: String,
    created_at: Option<Time>,
    /// Null: never.
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
}

impl ApiKey {
    fn of(key: ApiKeyInfo) -> Self {
        Self {
            id: key.key_id,
            hint: key.hint,
            created_at: Time::from_ms(key.created_at_ms),
            expires_at: Time::from_ms(key.expires_at_ms),
            revoked_at: Time::from_ms(key.revoked_at_ms),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Supplier)]
struct SupplierView {
    id: String,
    name: String,
    status: Standing,
    /// The ids of those it may post to.
    categories: Vec<String>,
    /// Posts a second it may make; 0: the usual number.
    posts_per_second: u32,
    keys: Vec<ApiKey>,
    /// Leads of the last 400 days; null while they cannot be counted.
    leads_delivered: Option<u64>,
    last_delivery_at: Option<Time>,
    #[serde(skip)]
    version: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Suppliers {
    suppliers: Vec<SupplierView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct OneSupplier {
    supplier: SupplierView,
}

#[derive(Serialize, ToSchema)]
struct SupplierAnswer {
    message: &'static str,
    supplier: SupplierView,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupplierWithKey)]
struct WithKey {
    message: &'static str,
    supplier: SupplierView,
    api_key: String,
}

/// Suppliers with what they delivered, if that can be had now.
async fn views(api: &Api, tenant: SellerId, suppliers: Vec<Supplier>) -> Vec<SupplierView> {
    if suppliers.is_empty() {
        return Vec::new();
    }
    let ids = suppliers.iter().map(|supplier| supplier.supplier_id.clone()).collect();
    let (from_ms, until_ms) = dates::counted(api.clock.as_ref());
    let message = SumByRequest { dimension: Dimension::Supplier.into(), ids, from_ms, until_ms, ..Default::default() };
    let sums = api.services.catalogue().sum_by(api.services.request(tenant, message)).await;
    let sums = sums.map(|answer| answer.into_inner().sums).ok();
    suppliers
        .into_iter()
        .map(|supplier| {
            let sum = sums.iter().flatten().find(|sum| sum.id == supplier.supplier_id);
            SupplierView {
                status: Standing::of(supplier.status()),
                id: supplier.supplier_id,
                name: supplier.name,
                categories: supplier.category_ids,
                posts_per_second: supplier.posts_per_second,
                keys: supplier.keys.into_iter().map(ApiKey::of).collect(),
                leads_delivered: sums.as_ref().map(|_| sum.map_or(0, |sum| sum.leads)),
                last_delivery_at: sum.and_then(|sum| Time::from_ms(sum.last_at_ms)),
                version: supplier.version,
            }
        })
        .collect()
}

async fn view(api: &Api, tenant: SellerId, supplier: Supplier) -> Result<SupplierView, Problem> {
    views(api, tenant, vec![supplier]).await.into_iter().next().ok_or_else(|| away().into())
}

async fn list(State(api): State<Api>, me: Me, Query(page): Query<Page>) -> Result<Json<Suppliers>, Problem> {
    let (limit, after) = page.bounds::<SupplierId>()?;
    let tenant = me.tenant()?;
    let request = api.services.request(tenant, ListSuppliersRequest { limit, after });
    let listed = api.services.accounts().list_suppliers(request).await?.into_inner().suppliers;
    let suppliers = views(&api, tenant, listed).await;
    Ok(Json(Suppliers { next_after: next_after(&suppliers, limit, |supplier| &supplier.id), suppliers }))
}

async fn show(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SupplierId>,
) -> Result<Versioned<OneSupplier>, Problem> {
    let tenant = me.tenant()?;
    let supplier = view(&api, tenant, get(&api, tenant, id).await?).await?;
    Ok(Versioned(supplier.version, OneSupplier { supplier }))
}

async fn get(api: &Api, tenant: SellerId, id: SupplierId) -> Result<Supplier, Problem> {
    let request = api.services.request(tenant, GetSupplierRequest { supplier_id: id.to_string() });
    Ok(api.services.accounts().get_supplier(request).await?.into_inner())
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewSupplier {
    name: String,
    /// Ids of categories it may post to.
    #[serde(default)]
    categories: Vec<String>,
    posts_per_second: Option<u32>,
}

/// Each must be the tenant's own.
async fn check_categories(api: &Api, tenant: SellerId, ids: &[String]) -> Result<(), Problem> {
    if ids.len() > MAX_CATEGORIES {
        return Err(invalid("categories", "must be at most 100"));
    }
    let looking = ids.iter().enumerate().map(|(at, text)| async move {
        let no_such = || invalid(&format!("categories[{at}]"), "is not one of your categories");
        let id = text.parse().map_err(|_| no_such())?;
        match categories::get(api, tenant, id).await {
            Ok(_) => Ok(()),
            Err(Problem(error)) if error.status == StatusCode::NOT_FOUND => Err(no_such()),
            Err(other) => Err(other),
        }
    });
    futures::future::try_join_all(looking).await.map(drop)
}

async fn create(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewSupplier>,
) -> Result<(StatusCode, Json<WithKey>), Problem> {
    let tenant = me.tenant()?;
    check_categories(&api, tenant, &body.categories).await?;
    let id: SupplierId = repeat.id(&me.user.user_id, "supplier");
    let key: ApiKeyId = repeat.id(&me.user.user_id, "supplier's key");
    let message = CreateSupplierRequest {
        supplier_id: id.to_string(),
        name: body.name,
        category_ids: body.categories,
        posts_per_second: body.posts_per_second.unwrap_or(0),
    };
    let mut accounts = api.services.accounts();
    accounts.create_supplier(api.services.request_by(&me.user, tenant, message)).await?;
    let message = CreateApiKeyRequest { supplier_id: id.to_string(), key_id: key.to_string() };
    let made = accounts.create_api_key(api.services.request_by(&me.user, tenant, message)).await?.into_inner();
    let supplier = view(&api, tenant, made.supplier.ok_or_else(away)?).await?;
    Ok((
        CREATED,
        Json(WithKey {
            message: "Supplier created; keep the key, it is not shown again",
            supplier,
            api_key: made.api_key,
        }),
    ))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SupplierChange {
    name: Option<String>,
    status: Option<Standing>,
    categories: Option<Vec<String>>,
    posts_per_second: Option<u32>,
}

async fn update(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SupplierId>,
    if_match: IfMatch,
    Body(body): Body<SupplierChange>,
) -> Result<Versioned<SupplierAnswer>, Problem> {
    let tenant = me.tenant()?;
    check_categories(&api, tenant, body.categories.as_deref().unwrap_or_default()).await?;
    let message = UpdateSupplierRequest {
        supplier_id: id.to_string(),
        name: body.name,
        status: body.status.map(|status| status.to_proto().into()),
        categories: body.categories.map(|category_ids| CategoryList { category_ids }),
        posts_per_second: body.posts_per_second,
        expected_version: None,
    };
    change(&api, &me, id, &if_match, message, "Supplier updated").await
}

async fn deactivate(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SupplierId>,
    if_match: IfMatch,
) -> Result<Versioned<SupplierAnswer>, Problem> {
    let status = Some(Standing::Inactive.to_proto().into());
    let message = UpdateSupplierRequest { supplier_id: id.to_string(), status, ..Default::default() };
    change(&api, &me, id, &if_match, message, "Supplier deactivated").await
}

async fn change(
    api: &Api,
    me: &Me,
    id: SupplierId,
    if_match: &IfMatch,
    change: UpdateSupplierRequest,
    message: &'static str,
) -> Result<Versioned<SupplierAnswer>, Problem> {
    let tenant = me.tenant()?;
    let update = |expected_version| {
        let message = UpdateSupplierRequest { expected_version, ..change.clone() };
        let (mut accounts, request) = (api.services.accounts(), api.services.request_by(&me.user, tenant, message));
        async move { Ok(accounts.update_supplier(request).await?.into_inner()) }
    };
    // A change names what it changes: without a version that matters nothing needs to be read.
    let changed: Result<Supplier, Problem> = if if_match.is_given() {
        let update = |known: Supplier| update(Some(known.version));
        put_back(if_match, || get(api, tenant, id), |known| known.version, update).await
    } else {
        update(None).await
    };
    let supplier = view(api, tenant, changed?).await?;
    Ok(Versioned(supplier.version, SupplierAnswer { message, supplier }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyRotation)]
struct Rotation {
    /// Seconds the keys before go on working; a day when not given; 0 ends them at once.
    overlap_seconds: Option<u32>,
}

async fn rotate(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SupplierId>,
    repeat: Repeat,
    Body(body): Body<Rotation>,
) -> Result<Json<WithKey>, Problem> {
    let tenant = me.tenant()?;
    let key: ApiKeyId = repeat.id(&me.user.user_id, &format!("key of {id}"));
    let message = RotateApiKeyRequest {
        supplier_id: id.to_string(),
        key_id: key.to_string(),
        overlap_seconds: body.overlap_seconds.unwrap_or(USUAL_OVERLAP_SECONDS),
    };
    let made =
        api.services.accounts().rotate_api_key(api.services.request_by(&me.user, tenant, message)).await?.into_inner();
    let supplier = view(&api, tenant, made.supplier.ok_or_else(away)?).await?;
    Ok(Json(WithKey { message: "New key; keep it, it is not shown again", supplier, api_key: made.api_key }))
}
