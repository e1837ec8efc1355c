//! Categories: kinds of leads, with their fields.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    common::{FieldDef, FieldType},
    distribution::{self as proto, GetCategoryRequest, ListCategoriesRequest, PutCategoryRequest},
};
use leadflow_kernel::{CategoryId, SellerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CREATED, OK, SELLERS, Status, TENANT};
use crate::{
    http::{
        Api,
        input::{Body, Page, PathId, Query, Repeat, next_after},
        problem::Problem,
        session::Me,
        table::Route,
        versions::{IfMatch, Versioned, made_once, put_back},
    },
    outbound::services::patiently,
};

const LIST: &str = "/api/categories";
const ONE: &str = "/api/categories/{id}";
/// A tenant that has just registered is heard of by distribution a moment later.
pub(super) const TENANT_ON_ITS_WAY: &[&str] = &["seller_unknown"];

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(LIST, TENANT, "Categories, by name", list).query::<Page>().answers::<Categories>(OK, "Categories"),
        Route::post(LIST, SELLERS, "Make a category", create)
            .body::<NewCategory>()
            .answers::<CategoryAnswer>(CREATED, "Made")
            .versioned(),
        Route::get(ONE, TENANT, "A category", show).answers::<OneCategory>(OK, "The category").versioned(),
        Route::put(ONE, SELLERS, "Change a category; what is not given stays", update)
            .body::<CategoryChange>()
            .answers::<CategoryAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(ONE, SELLERS, "Archive a category", archive)
            .answers::<CategoryAnswer>(OK, "Archived; leads and sales stay")
            .versioned(),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FieldType)]
enum Kind {
    Text,
    Email,
    Phone,
    Number,
    Boolean,
    Date,
    State,
    Zip,
    Url,
    Select,
}

impl Kind {
    const ALL: [(Self, FieldType); 10] = [
        (Self::Text, FieldType::Text),
        (Self::Email, FieldType::Email),
        (Self::Phone, FieldType::Phone),
        (Self::Number, FieldType::Number),
        (Self::Boolean, FieldType::Boolean),
        (Self::Date, FieldType::Date),
        (Self::State, FieldType::State),
        (Self::Zip, FieldType::Zip),
        (Self::Url, FieldType::Url),
        (Self::Select, FieldType::Select),
    ];

    fn of(kind: FieldType) -> Self {
        Self::ALL.iter().find(|(_, proto)| *proto == kind).map_or(Self::Text, |(kind, _)| *kind)
    }

    fn to_proto(self) -> FieldType {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(FieldType::Unspecified, |(_, proto)| *proto)
    }
}

/// A field of a category's leads.
#[derive(Serialize, Deserialize, ToSchema)]
struct Field {
    /// Its name in a lead's data.
    name: String,
    r#type: Kind,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    description: String,
    /// Of a select field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    options: Vec<String>,
}

impl Field {
    fn into_proto(self) -> FieldDef {
        FieldDef {
            name: self.name,
            r#type: self.r#type.to_proto().into(),
            required: self.required,
            description: self.description,
            options: self.options,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Category)]
pub(super) struct CategoryView {
    id: String,
    name: String,
    status: Status,
    fields: Vec<Field>,
    #[serde(skip)]
    version: u64,
}

impl CategoryView {
    pub(super) fn of(category: proto::Category) -> Self {
        let status = Status::of(category.status());
        let fields = category
            .fields
            .into_iter()
            .map(|field| Field {
                r#type: Kind::of(field.r#type()),
                name: field.name,
                required: field.required,
                description: field.description,
                options: field.options,
            })
            .collect();
        Self { id: category.category_id, name: category.name, status, fields, version: category.version }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Categories {
    categories: Vec<CategoryView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct OneCategory {
    category: CategoryView,
}

#[derive(Serialize, ToSchema)]
struct CategoryAnswer {
    message: &'static str,
    category: CategoryView,
}

async fn list(State(api): State<Api>, me: Me, Query(page): Query<Page>) -> Result<Json<Categories>, Problem> {
    let (limit, after) = page.bounds::<CategoryId>()?;
    let message = ListCategoriesRequest { include_archived: false, limit, after };
    let request = api.services.request(me.tenant()?, message);
    let listed = api.services.catalogue().list_categories(request).await?.into_inner().categories;
    let categories: Vec<_> = listed.into_iter().map(CategoryView::of).collect();
    Ok(Json(Categories { next_after: next_after(&categories, limit, |category| &category.id), categories }))
}

async fn show(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CategoryId>,
) -> Result<Versioned<OneCategory>, Problem> {
    let category = get(&api, me.tenant()?, id).await?;
    Ok(Versioned(category.version, OneCategory { category: CategoryView::of(category) }))
}

pub(super) async fn get(api: &Api, tenant: SellerId, id: CategoryId) -> Result<proto::Category, Problem> {
    let request = api.services.request(tenant, GetCategoryRequest { category_id: id.to_string() });
    Ok(api.services.catalogue().get_category(request).await?.into_inner())
}

#[derive(Deserialize, ToSchema)]
struct NewCategory {
    name: String,
    #[serde(default)]
    fields: Vec<Field>,
}

async fn create(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewCategory>,
) -> Result<(StatusCode, Versioned<CategoryAnswer>), Problem> {
    let id: CategoryId = repeat.id(&me.user.user_id, "category");
    let message = PutCategoryRequest {
        category_id: id.to_string(),
        name: body.name,
        status: Status::Active.to_proto().into(),
        fields: body.fields.into_iter().map(Field::into_proto).collect(),
        expected_version: Some(0),
    };
    let tenant = me.tenant()?;
    let known = || async { Ok(CategoryView::of(get(&api, tenant, id).await?)) };
    let category = made_once(put(&api, &me, message), known, |category| category.version).await?;
    Ok((CREATED, Versioned(category.version, CategoryAnswer { message: "Category created", category })))
}

async fn put(api: &Api, me: &Me, message: PutCategoryRequest) -> Result<CategoryView, Problem> {
    let tenant = me.tenant()?;
    let call = || {
        let (mut distribution, request) =
            (api.services.distribution(), api.services.request_by(&me.user, tenant, message.clone()));
        async move { distribution.put_category(request).await }
    };
    Ok(CategoryView::of(patiently(TENANT_ON_ITS_WAY, call).await?.into_inner()))
}

#[derive(Deserialize, ToSchema)]
struct CategoryChange {
    name: Option<String>,
    status: Option<Status>,
    fields: Option<Vec<Field>>,
}

async fn update(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CategoryId>,
    if_match: IfMatch,
    Body(body): Body<CategoryChange>,
) -> Result<Versioned<CategoryAnswer>, Problem> {
    let fields: Option<Vec<_>> = body.fields.map(|fields| fields.into_iter().map(Field::into_proto).collect());
    let changed = |known: proto::Category| PutCategoryRequest {
        status: body.status.map_or(known.status, |status| status.to_proto().into()),
        expected_version: Some(known.version),
        category_id: known.category_id,
        name: body.name.clone().unwrap_or(known.name),
        fields: fields.clone().unwrap_or(known.fields),
    };
    change(&api, &me, id, &if_match, changed, "Category updated").await
}

async fn archive(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<CategoryId>,
    if_match: IfMatch,
) -> Result<Versioned<CategoryAnswer>, Problem> {
    let archived = |known: proto::Category| PutCategoryRequest {
        status: Status::Archived.to_proto().into(),
        expected_version: Some(known.version),
        category_id: known.category_id,
        name: known.name,
        fields: known.fields,
    };
    change(&api, &me, id, &if_match, archived, "Category archived").await
}

async fn change(
    api: &Api,
    me: &Me,
    id: CategoryId,
    if_match: &IfMatch,
    changed: impl Fn(proto::Category) -> PutCategoryRequest,
    message: &'static str,
) -> Result<Versioned<CategoryAnswer>, Problem> {
    let tenant = me.tenant()?;
    let read = || get(api, tenant, id);
    let category = put_back(if_match, read, |known| known.version, |known| put(api, me, changed(known))).await?;
    Ok(Versioned(category.version, CategoryAnswer { message, category }))
}
