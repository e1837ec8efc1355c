//! People who sign in for a seller's supplier, to see what became of its leads.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::accounts::{
    GetSupplierRequest, InviteUserRequest, ListInvitationsRequest, ListUsersRequest, RemoveUserRequest,
    RevokeInvitationRequest,
};
use leadflow_kernel::{InvitationId, SupplierId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CREATED, OK, SEEING_SELLERS, SELLERS,
    invitation::{InvitationAnswer, InvitationView},
    user::UserView,
};
use crate::http::{
    Api,
    input::{Body, PathId, PathIds, Repeat},
    problem::Problem,
    session::Me,
    table::Route,
};

const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/suppliers/{id}/invite", SELLERS, "Invite somebody to sign in for a supplier", invite)
            .body::<NewInvitation>()
            .answers::<InvitationAnswer>(CREATED, "Invited; a link that works once is sent by e-mail"),
        Route::get(
            "/api/suppliers/{id}/people",
            SEEING_SELLERS,
            "Who signs in for a supplier, and who is invited",
            list,
        )
        .answers::<People>(OK, "The people"),
        Route::delete(
            "/api/suppliers/{id}/people/{userId}",
            SELLERS,
            "Remove somebody who signs in for a supplier",
            remove,
        )
        .answers_nothing(NO_CONTENT, "Removed; every session of the user has ended"),
        Route::delete("/api/suppliers/{id}/invitations/{invitationId}", SELLERS, "Take an invitation back", revoke)
            .answers_nothing(NO_CONTENT, "Its link no longer works"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewSupplierInvitation)]
struct NewInvitation {
    email: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SupplierPeople)]
struct People {
    users: Vec<UserView>,
    invitations: Vec<InvitationView>,
}

async fn invite(
    State(api): State<Api>,
    me: Me,
    PathId(supplier): PathId<SupplierId>,
    repeat: Repeat,
    Body(body): Body<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationAnswer>), Problem> {
    let id: InvitationId = repeat.id(&me.user.user_id, &format!("invitation for {supplier}"));
    let message = InviteUserRequest {
        invitation_id: id.to_string(),
        email: body.email,
        member: 0,
        supplier_id: supplier.to_string(),
    };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let invitation = api.services.people().invite_user(request).await?.into_inner();
    Ok((CREATED, Json(InvitationAnswer::of(invitation))))
}

async fn list(State(api): State<Api>, me: Me, PathId(supplier): PathId<SupplierId>) -> Result<Json<People>, Problem> {
    let tenant = me.tenant()?;
    let supplier_id = supplier.to_string();
    let known = api.services.request(tenant, GetSupplierRequest { supplier_id: supplier_id.clone() });
    let users = ListUsersRequest { supplier_ids: vec![supplier_id.clone()], ..Default::default() };
    let users = api.services.request(tenant, users);
    let open = api.services.request(tenant, ListInvitationsRequest { supplier_id });
    let (mut accounts, mut people, mut again) = (api.services.accounts(), api.services.people(), api.services.people());
    // Nobody's supplier has no people: it is not found.
    let (_, users, open) =
        futures::try_join!(accounts.get_supplier(known), people.list_users(users), again.list_invitations(open))?;
    Ok(Json(People {
        users: users.into_inner().users.into_iter().map(UserView::of).collect(),
        invitations: open.into_inner().invitations.into_iter().map(InvitationView::of).collect(),
    }))
}

async fn remove(
    State(api): State<Api>,
    me: Me,
    PathIds(supplier, user): PathIds<SupplierId, UserId>,
) -> Result<StatusCode, Problem> {
    let message = RemoveUserRequest { user_id: user.to_string(), supplier_id: supplier.to_string() };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    api.services.people().remove_user(request).await?;
    Ok(NO_CONTENT)
}

async fn revoke(
    State(api): State<Api>,
    me: Me,
    PathIds(supplier, id): PathIds<SupplierId, InvitationId>,
) -> Result<StatusCode, Problem> {
    let message = RevokeInvitationRequest { invitation_id: id.to_string(), supplier_id: supplier.to_string() };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    api.services.people().revoke_invitation(request).await?;
    Ok(NO_CONTENT)
}
