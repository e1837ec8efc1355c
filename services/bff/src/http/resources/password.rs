//! Passwords, and tokens that are sent by e-mail.

use axum::{Extension, Json, extract::State, http::StatusCode};
use leadflow_contracts::accounts::{
    ChangePasswordRequest, ForgotPasswordRequest, ResetPasswordRequest, SendVerificationRequest, VerifyEmailRequest,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Message, OK,
    user::{UserAnswer, UserView},
};
use crate::http::{
    Api,
    guard::Address,
    input::Body,
    problem::Problem,
    session::Me,
    table::{Route, Who},
};

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/auth/forgot-password", Who::Public, "Have a link to set a new password sent", forgot)
            .sign_in()
            .body::<Forgotten>()
            .answers::<Message>(StatusCode::ACCEPTED, "The same, whether there is such a user or not"),
        Route::post("/api/auth/reset-password", Who::Public, "Set a new password with the token that was sent", reset)
            .sign_in()
            .body::<Reset>()
            .answers::<Message>(OK, "Set; every session of the user has ended"),
        Route::post("/api/auth/change-password", Who::SignedIn, "Set a new password", change)
            .sign_in()
            .body::<Change>()
            .answers::<Message>(OK, "Set; the user's other sessions have ended"),
        Route::post("/api/auth/send-verification", Who::SignedIn, "Have a link that verifies one's e-mail sent", send)
            .sign_in()
            .answers::<Message>(StatusCode::ACCEPTED, "It will be sent"),
        Route::post("/api/auth/verify-email", Who::Public, "Verify an e-mail with the token that was sent", verify)
            .sign_in()
            .body::<Token>()
            .answers::<UserAnswer>(OK, "Verified"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ForgotPassword)]
struct Forgotten {
    email: String,
}

async fn forgot(
    State(api): State<Api>,
    Extension(Address(address)): Extension<Address>,
    Body(body): Body<Forgotten>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let message = ForgotPasswordRequest { email: body.email, address };
    api.services.people().forgot_password(api.services.unbound(message)).await?;
    let message = "If there is a user with this e-mail, a link is on its way";
    Ok((StatusCode::ACCEPTED, Json(Message { message })))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ResetPassword)]
struct Reset {
    token: String,
    password: String,
}

async fn reset(State(api): State<Api>, Body(body): Body<Reset>) -> Result<Json<Message>, Problem> {
    let message = ResetPasswordRequest { token: body.token, password: body.password };
    api.services.people().reset_password(api.services.unbound(message)).await?;
    Ok(Json(Message { message: "The password was changed; sign in with it" }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ChangePassword)]
struct Change {
    old_password: String,
    new_password: String,
}

async fn change(State(api): State<Api>, me: Me, Body(body): Body<Change>) -> Result<Json<Message>, Problem> {
    let message = ChangePasswordRequest {
        user_id: me.user.user_id,
        old_password: body.old_password,
        new_password: body.new_password,
        keep_session_id: me.session.session_id,
    };
    api.services.people().change_password(api.services.unbound(message)).await?;
    Ok(Json(Message { message: "The password was changed" }))
}

async fn send(State(api): State<Api>, me: Me) -> Result<(StatusCode, Json<Message>), Problem> {
    let message = SendVerificationRequest { user_id: me.user.user_id };
    api.services.people().send_verification(api.services.unbound(message)).await?;
    Ok((StatusCode::ACCEPTED, Json(Message { message: "A link is on its way" })))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = VerifyEmail)]
struct Token {
    token: String,
}

async fn verify(State(api): State<Api>, Body(body): Body<Token>) -> Result<Json<UserAnswer>, Problem> {
    let message = VerifyEmailRequest { token: body.token };
    let user = api.services.people().verify_email(api.services.unbound(message)).await?.into_inner();
    Ok(Json(UserAnswer { user: UserView::of(user) }))
}
