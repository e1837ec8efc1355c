//! A seller's team: who is in it, who is invited, what each may do.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::accounts::{
    AcceptInvitationRequest, ChangeMemberRequest, InviteUserRequest, ListInvitationsRequest, ListUsersRequest,
    RemoveUserRequest, RevokeInvitationRequest,
};
use leadflow_kernel::{InvitationId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CREATED, OK, OWNERS, SEEING_SELLERS,
    invitation::{InvitationAnswer, InvitationView},
    user::{Member, UserAnswer, UserView},
};
use crate::http::{
    Api,
    input::{Body, PathId, Repeat},
    problem::Problem,
    session::Me,
    table::{Route, Who},
};

const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/team", SEEING_SELLERS, "The team and its open invitations", list)
            .answers::<Team>(OK, "The team"),
        Route::post("/api/team/invitations", OWNERS, "Invite somebody into the team by e-mail", invite)
            .body::<NewInvitation>()
            .answers::<InvitationAnswer>(CREATED, "Invited; a link that works once is sent by e-mail"),
        Route::delete("/api/team/invitations/{id}", OWNERS, "Take an invitation back", revoke)
            .answers_nothing(NO_CONTENT, "Its link no longer works"),
        Route::post(
            "/api/team/invitations/accept",
            Who::Public,
            "Accept an invitation to a team or a supplier",
            accept,
        )
        .sign_in()
        .body::<Acceptance>()
        .answers::<Joined>(CREATED, "Accepted; sign in next"),
        Route::put("/api/team/{id}", OWNERS, "Change what a member of the team may do", change)
            .body::<RoleChange>()
            .answers::<UserAnswer>(OK, "Changed, from the next request on"),
        Route::delete("/api/team/{id}", OWNERS, "Remove a member of the team", remove)
            .answers_nothing(NO_CONTENT, "Removed; every session of the user has ended"),
    ]
}

#[derive(Serialize, ToSchema)]
struct Team {
    members: Vec<UserView>,
    invitations: Vec<InvitationView>,
}

async fn list(State(api): State<Api>, me: Me) -> Result<Json<Team>, Problem> {
    let tenant = me.tenant()?;
    let users = api.services.request(tenant, ListUsersRequest { team: true, ..Default::default() });
    let open = api.services.request(tenant, ListInvitationsRequest::default());
    let (mut people, mut again) = (api.services.people(), api.services.people());
    let (users, open) = futures::try_join!(people.list_users(users), again.list_invitations(open))?;
    Ok(Json(Team {
        members: users.into_inner().users.into_iter().map(UserView::of).collect(),
        invitations: open.into_inner().invitations.into_iter().map(InvitationView::of).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewTeamInvitation)]
struct NewInvitation {
    email: String,
    role: Member,
}

async fn invite(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationAnswer>), Problem> {
    let id: InvitationId = repeat.id(&me.user.user_id, "invitation");
    let message = InviteUserRequest {
        invitation_id: id.to_string(),
        email: body.email,
        member: body.role.to_proto().into(),
        supplier_id: String::new(),
    };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let invitation = api.services.people().invite_user(request).await?.into_inner();
    Ok((CREATED, Json(InvitationAnswer::of(invitation))))
}

async fn revoke(State(api): State<Api>, me: Me, PathId(id): PathId<InvitationId>) -> Result<StatusCode, Problem> {
    let message = RevokeInvitationRequest { invitation_id: id.to_string(), supplier_id: String::new() };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    api.services.people().revoke_invitation(request).await?;
    Ok(NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = InvitationAcceptance)]
struct Acceptance {
    /// From the link in the e-mail.
    token: String,
    password: String,
    name: String,
    phone: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Joined {
    message: &'static str,
    user: UserView,
}

async fn accept(State(api): State<Api>, Body(body): Body<Acceptance>) -> Result<(StatusCode, Json<Joined>), Problem> {
    let message = AcceptInvitationRequest {
        // A link makes one user: whoever sends the same again, because he missed the answer, gets it again.
        user_id: UserId::derive(&[b"invitation", body.token.as_bytes()]).to_string(),
        token: body.token,
        password: body.password,
        name: body.name,
        phone: body.phone.unwrap_or_default(),
    };
    let user = api.services.people().accept_invitation(api.services.unbound(message)).await?.into_inner();
    Ok((CREATED, Json(Joined { message: "Welcome; sign in next", user: UserView::of(user) })))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TeamRoleChange)]
struct RoleChange {
    role: Member,
}

async fn change(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<UserId>,
    Body(body): Body<RoleChange>,
) -> Result<Json<UserAnswer>, Problem> {
    let message = ChangeMemberRequest { user_id: id.to_string(), member: body.role.to_proto().into() };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let user = api.services.people().change_member(request).await?.into_inner();
    Ok(Json(UserAnswer { user: UserView::of(user) }))
}

async fn remove(State(api): State<Api>, me: Me, PathId(id): PathId<UserId>) -> Result<StatusCode, Problem> {
    let message = RemoveUserRequest { user_id: id.to_string(), supplier_id: String::new() };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    api.services.people().remove_user(request).await?;
    Ok(NO_CONTENT)
}
