//! How long personal data of leads is kept, and removing that of one person.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::{GetSellerRequest, UpdateSellerRequest},
    distribution::{self as proto, ErasureState, GetErasureRequest, RequestErasureRequest},
    notifier::{Erased, GetErasedRequest},
};
use leadflow_kernel::ErasureId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{OK, OWNERS, SEEING_SELLERS};
use crate::http::{
    Api,
    input::{Body, PathId},
    problem::Problem,
    session::Me,
    table::Route,
    values::Time,
};

const RETENTION: &str = "/api/privacy/retention";
const ACCEPTED: StatusCode = StatusCode::ACCEPTED;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(RETENTION, SEEING_SELLERS, "How long personal data of leads is kept", show)
            .answers::<Retention>(OK, "How long"),
        Route::put(RETENTION, OWNERS, "Choose how long personal data of leads is kept", choose)
            .body::<Retention>()
            .answers::<Retention>(OK, "Leads that are older by now lose their personal data soon, and for good"),
        Route::post("/api/privacy/erasures", OWNERS, "Have one person's data removed, for good", erase)
            .body::<Person>()
            .answers::<ErasureAnswer>(
                ACCEPTED,
                "It will be; the same person again is the same erasure, gone through anew",
            ),
        Route::get("/api/privacy/erasures/{id}", OWNERS, "How far an erasure is, and the proof of it", erasure)
            .answers::<ErasureAnswer>(OK, "The erasure"),
    ]
}

/// What a lead's person is known by goes after so many days: names, addresses, all fields. What was decided, sold and paid stays.
#[derive(Serialize, Deserialize, ToSchema)]
struct Retention {
    /// Days of 24 hours after a lead came; 0: as the platform's default says.
    #[schema(maximum = 3650)]
    days: u32,
}

async fn show(State(api): State<Api>, me: Me) -> Result<Json<Retention>, Problem> {
    let tenant = me.tenant()?;
    let request = api.services.request(tenant, GetSellerRequest { seller_id: tenant.to_string() });
    let seller = api.services.accounts().get_seller(request).await?.into_inner().seller.unwrap_or_default();
    Ok(Json(Retention { days: seller.retention_days }))
}

async fn choose(State(api): State<Api>, me: Me, Body(body): Body<Retention>) -> Result<Json<Retention>, Problem> {
    let tenant = me.tenant()?;
    let change = UpdateSellerRequest {
        seller_id: tenant.to_string(),
        retention_days: Some(body.days),
        ..UpdateSellerRequest::default()
    };
    let seller = api.services.accounts().update_seller(api.services.request_by(&me.user, tenant, change)).await?;
    Ok(Json(Retention { days: seller.into_inner().retention_days }))
}

/// Whose data is to be removed: of every lead that names the address or the number. At least one of them is needed; neither is kept.
#[derive(Deserialize, ToSchema)]
#[schema(as = ErasureWish)]
struct Person {
    #[serde(default)]
    email: String,
    /// In any way of writing; without + a number of the United States.
    #[serde(default)]
    phone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum ErasureStatus {
    /// Under way.
    Running,
    /// Nothing of what there was when it was asked for is left in our tables and dead letters.
    Done,
}

/// Who had bought leads of the person and has to be told, because he has the data.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErasedBuyer {
    id: String,
    company_name: String,
    leads: u32,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Erasure)]
struct ErasureView {
    id: String,
    status: ErasureStatus,
    first_asked_at: Option<Time>,
    /// The last time.
    asked_at: Option<Time>,
    /// A user, the last time; empty: whoever runs the platform.
    asked_by: String,
    times_asked: u32,
    by_email: bool,
    by_phone: bool,
    /// Leads that were looked at, the last time.
    leads_searched: u64,
    /// Leads that lost their data by it, all times together; likewise what follows.
    leads: u32,
    /// What others were sent of them and is no more known here.
    deliveries: u32,
    /// E-mails and text messages that waited and are not sent.
    messages: u32,
    /// By which he was recognised.
    fingerprints: u32,
    dead_letters: u32,
    buyers: Vec<ErasedBuyer>,
    /// Null until it has ended.
    done_at: Option<Time>,
    /// SHA-256 of this record without it, as JSON in this order and without blanks: whoever kept it can show that nothing was changed since. Empty
    /// until it has ended.
    digest: String,
}

#[derive(Serialize, ToSchema)]
struct ErasureAnswer {
    erasure: ErasureView,
}

impl ErasureView {
    /// `there`: what became of it at notifier, if that is known.
    fn of(one: proto::Erasure, there: Option<Erased>) -> Self {
        let here = one.state() == ErasureState::Done;
        let there_done = there.as_ref().is_some_and(|there| there.waiting == 0 && there.sales >= one.sales);
        let done = here && there_done;
        let there = there.unwrap_or_default();
        let mut view = Self {
            status: if done { ErasureStatus::Done } else { ErasureStatus::Running },
            id: one.erasure_id,
            first_asked_at: Time::from_ms(one.first_asked_at_ms),
            asked_at: Time::from_ms(one.asked_at_ms),
            asked_by: one.asked_by,
            times_asked: one.times_asked,
            by_email: one.by_email,
            by_phone: one.by_phone,
            leads_searched: one.leads_searched,
            leads: one.leads,
            deliveries: there.deliveries,
            messages: there.messages,
            fingerprints: one.fingerprints,
            dead_letters: one.dead_letters,
            buyers: one
                .buyers
                .into_iter()
                .map(|buyer| ErasedBuyer { id: buyer.buyer_id, company_name: buyer.company_name, leads: buyer.leads })
                .collect(),
            done_at: Time::from_ms(one.done_at_ms.max(there.done_at_ms)).filter(|_| done),
            digest: String::new(),
        };
        if done {
            view.digest = view.sum();
        }
        view
    }

    /// Of the record with an empty digest taken out.
    fn sum(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default().replace(",\"digest\":\"\"", "");
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

async fn erase(
    State(api): State<Api>,
    me: Me,
    Body(person): Body<Person>,
) -> Result<(StatusCode, Json<ErasureAnswer>), Problem> {
    let message = RequestErasureRequest { email: person.email, phone: person.phone };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let erasure = api.services.privacy().request_erasure(request).await?.into_inner();
    Ok((ACCEPTED, Json(ErasureAnswer { erasure: ErasureView::of(erasure, None) })))
}

async fn erasure(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<ErasureId>,
) -> Result<Json<ErasureAnswer>, Problem> {
    let tenant = me.tenant()?;
    let here = api.services.request(tenant, GetErasureRequest { erasure_id: id.to_string() });
    // First here: what is told of afterwards is there by then.
    let erasure = api.services.privacy().get_erasure(here).await?.into_inner();
    let there = api.services.request(tenant, GetErasedRequest { erasure_id: id.to_string() });
    let there = api.services.masking().get_erased(there).await?.into_inner();
    Ok(Json(ErasureAnswer { erasure: ErasureView::of(erasure, Some(there)) }))
}
