//! The code that a seller's buyers register with.

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::{GetInviteCodeRequest, GetInviteRequest, InviteCode, RotateInviteCodeRequest};
use leadflow_platform::http::RequestId;
use serde::{Deserialize, Serialize};
use tonic::Code;
use utoipa::ToSchema;

use super::{CREATED, OK, SELLERS};
use crate::http::{
    Api,
    input::{Body, Query},
    problem::Problem,
    session::Me,
    table::{Route, Who},
    values::Time,
};

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/auth/verify-invite", Who::Public, "Whose invite code this is", verify)
            .sign_in()
            .query::<Asked>()
            .answers::<Valid>(OK, "The code works")
            .answers::<NotValid>(StatusCode::NOT_FOUND, "Unknown, replaced or expired"),
        Route::get("/api/auth/invite-code", SELLERS, "The invite code now", show)
            .answers::<InviteCodeView>(OK, "The code"),
        Route::post("/api/auth/invite-code", SELLERS, "Replace the invite code", rotate)
            .body::<Rotation>()
            .answers::<InviteCodeView>(CREATED, "The new code; the old one no longer works"),
    ]
}

#[derive(Deserialize, ToSchema)]
struct Asked {
    code: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvitingSeller)]
struct Seller {
    company_name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ValidInvite)]
struct Valid {
    valid: bool,
    seller: Seller,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvalidInvite)]
struct NotValid {
    valid: bool,
    error: &'static str,
    code: &'static str,
    request_id: String,
}

async fn verify(
    State(api): State<Api>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let message = GetInviteRequest { code: asked.code };
    match api.services.people().get_invite(api.services.unbound(message)).await {
        Ok(invite) => {
            let seller = Seller { company_name: invite.into_inner().company_name };
            Ok(Json(Valid { valid: true, seller }).into_response())
        }
        // A code that cannot be one is as unknown as any.
        Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => {
            let error = "this invite code is not valid";
            let body = NotValid { valid: false, error, code: "invite_not_found", request_id };
            Ok((StatusCode::NOT_FOUND, Json(body)).into_response())
        }
        Err(status) => Err(status.into()),
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InviteCode)]
struct InviteCodeView {
    invite_code: String,
    created_at: Option<Time>,
    /// Null: never.
    expires_at: Option<Time>,
}

fn view(code: InviteCode) -> Json<InviteCodeView> {
    Json(InviteCodeView {
        created_at: Time::from_ms(code.created_at_ms),
        expires_at: Time::from_ms(code.expires_at_ms),
        invite_code: code.code,
    })
}

async fn show(State(api): State<Api>, me: Me) -> Result<Json<InviteCodeView>, Problem> {
    let request = api.services.request(me.tenant()?, GetInviteCodeRequest {});
    Ok(view(api.services.people().get_invite_code(request).await?.into_inner()))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewInviteCode)]
struct Rotation {
    /// Hours the new code works; none: for ever.
    expires_in_hours: Option<u32>,
}

async fn rotate(
    State(api): State<Api>,
    me: Me,
    Body(body): Body<Rotation>,
) -> Result<(StatusCode, Json<InviteCodeView>), Problem> {
    let message = RotateInviteCodeRequest { expires_in_hours: body.expires_in_hours.unwrap_or(0) };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    Ok((CREATED, view(api.services.people().rotate_invite_code(request).await?.into_inner())))
}
