//! The gRPC service `People`: reads requests, calls the use case, answers.

use leadflow_accounts_domain::Password;
use leadflow_contracts::accounts::{
    AcceptInvitationRequest, AddBuyerRequest, Admission, AdmitRequest, BeginGoogleRequest, ChangeMemberRequest,
    ChangePasswordRequest, CheckSessionsRequest, CheckSessionsResponse, CreateAdminRequest, FinishGoogleRequest,
    ForgotPasswordRequest, ForgotPasswordResponse, GetInviteCodeRequest, GetInviteRequest, GoogleAttempt, GoogleSignIn,
    Invitation, Invite, InviteCode, InviteUserRequest, ListInvitationsRequest, ListInvitationsResponse,
    ListSessionsRequest, ListSessionsResponse, ListUsersRequest, ListUsersResponse, LogInRequest, LogOutRequest,
    LogOutResponse, RegisterBuyerRequest, RegisterResponse, RegisterSellerRequest, RemoveUserRequest,
    RemoveUserResponse, ResetPasswordRequest, RevokeInvitationRequest, RevokeInvitationResponse, RevokeSessionsRequest,
    RevokeSessionsResponse, RotateInviteCodeRequest, SendVerificationRequest, SendVerificationResponse, Session,
    UpdateProfileRequest, User, VerifyEmailRequest, people_server,
};
use leadflow_platform::grpc::{actor, tenant};
use tonic::{Request, Response, Status};

use super::people_convert::{self as convert, optional, read, refused, several};
use crate::app::people::{People, Returned};

/// The most records whose users are asked for at once.
const RECORDS: usize = 500;

/// Answers calls with the use cases.
pub struct Service {
    people: People,
}

impl Service {
    /// Answers with `people`.
    #[must_use]
    pub const fn new(people: People) -> Self {
        Self { people }
    }
}

#[tonic::async_trait]
impl people_server::People for Service {
    async fn register_seller(
        &self,
        request: Request<RegisterSellerRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let request = convert::register_seller(request.into_inner())?;
        let registered = self.people.register_seller(request).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::registered(&registered)))
    }

    async fn register_buyer(
        &self,
        request: Request<RegisterBuyerRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let request = convert::register_buyer(request.into_inner())?;
        let registered = self.people.register_buyer(request).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::registered(&registered)))
    }

    async fn add_buyer(&self, request: Request<AddBuyerRequest>) -> Result<Response<RegisterResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = convert::add_buyer(request.into_inner())?;
        let registered = self.people.add_buyer_of(actor, tenant, request).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::registered(&registered)))
    }

    async fn log_in(&self, request: Request<LogInRequest>) -> Result<Response<Session>, Status> {
        let LogInRequest { email, password, address, user_agent } = request.into_inner();
        let address = convert::address(&address);
        let signed_in = self
            .people
            .log_in(&email, Password::shown(password), &address, &user_agent)
            .await
            .map_err(|e| refused(&e))?;
        Ok(Response::new(convert::signed_in(&signed_in)))
    }

    async fn begin_google(&self, request: Request<BeginGoogleRequest>) -> Result<Response<GoogleAttempt>, Status> {
        let attempt = convert::attempt(request.get_ref())?;
        let begun = self.people.begin_google(&attempt).await.map_err(|e| refused(&e))?;
        Ok(Response::new(GoogleAttempt {
            authorization_url: begun.url,
            browser_token: begun.browser.reveal().to_owned(),
            expires_in_seconds: u32::try_from(begun.life.num_seconds()).unwrap_or(0),
        }))
    }

    async fn finish_google(&self, request: Request<FinishGoogleRequest>) -> Result<Response<GoogleSignIn>, Status> {
        let FinishGoogleRequest { state, code, error, browser_token, address, user_agent } = request.into_inner();
        let address = convert::address(&address);
        let returned = Returned { state, code, error, browser: browser_token, address, user_agent };
        let entered = self.people.finish_google(&returned).await.map_err(|e| refused(&e))?;
        Ok(Response::new(GoogleSignIn {
            session: Some(convert::signed_in(&entered.sign_in)),
            return_to: entered.return_to,
            registered: entered.registered,
        }))
    }

    async fn admit(&self, request: Request<AdmitRequest>) -> Result<Response<Admission>, Status> {
        let request = request.into_inner();
        let kind = convert::allowance(request.allowance)?;
        let address = convert::address(&request.address);
        let admission = self.people.admit(&request.token, &address, kind).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::admission(&admission)))
    }

    async fn log_out(&self, request: Request<LogOutRequest>) -> Result<Response<LogOutResponse>, Status> {
        self.people.log_out(&request.get_ref().token).await.map_err(|e| refused(&e))?;
        Ok(Response::new(LogOutResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let user = read(&request.get_ref().user_id, "user_id")?;
        let sessions = self.people.sessions(user).await.map_err(|e| refused(&e))?;
        Ok(Response::new(ListSessionsResponse { sessions: sessions.iter().map(convert::session).collect() }))
    }

    async fn revoke_sessions(
        &self,
        request: Request<RevokeSessionsRequest>,
    ) -> Result<Response<RevokeSessionsResponse>, Status> {
        let request = request.into_inner();
        let user = read(&request.user_id, "user_id")?;
        let only = optional(&request.session_id, "session_id")?;
        let keep = optional(&request.keep_session_id, "keep_session_id")?;
        let revoked = self.people.revoke_sessions(user, only, keep).await.map_err(|e| refused(&e))?;
        Ok(Response::new(RevokeSessionsResponse { revoked }))
    }

    async fn check_sessions(
        &self,
        request: Request<CheckSessionsRequest>,
    ) -> Result<Response<CheckSessionsResponse>, Status> {
        let sessions = several(&request.get_ref().session_ids, "session_ids", RECORDS)?;
        let good = self.people.good_sessions(&sessions).await.map_err(|e| refused(&e))?;
        let good_session_ids = good.iter().map(ToString::to_string).collect();
        Ok(Response::new(CheckSessionsResponse { good_session_ids }))
    }

    async fn get_invite(&self, request: Request<GetInviteRequest>) -> Result<Response<Invite>, Status> {
        let (seller_id, company_name) = self.people.invite(&request.get_ref().code).await.map_err(|e| refused(&e))?;
        Ok(Response::new(Invite { seller_id: seller_id.to_string(), company_name }))
    }

    async fn get_invite_code(&self, request: Request<GetInviteCodeRequest>) -> Result<Response<InviteCode>, Status> {
        let invite = self.people.invite_code(tenant(&request)?).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::invite_code(&invite)))
    }

    async fn rotate_invite_code(
        &self,
        request: Request<RotateInviteCodeRequest>,
    ) -> Result<Response<InviteCode>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let hours = request.into_inner().expires_in_hours;
        let invite = self.people.rotate_invite_code(tenant, hours, actor).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::invite_code(&invite)))
    }

    async fn forgot_password(
        &self,
        request: Request<ForgotPasswordRequest>,
    ) -> Result<Response<ForgotPasswordResponse>, Status> {
        self.people.forgot_password(&request.get_ref().email);
        Ok(Response::new(ForgotPasswordResponse {}))
    }

    async fn reset_password(&self, request: Request<ResetPasswordRequest>) -> Result<Response<User>, Status> {
        let ResetPasswordRequest { token, password } = request.into_inner();
        let user = self.people.reset_password(&token, Password::shown(password)).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn send_verification(
        &self,
        request: Request<SendVerificationRequest>,
    ) -> Result<Response<SendVerificationResponse>, Status> {
        let user = read(&request.get_ref().user_id, "user_id")?;
        self.people.send_verification(user).await.map_err(|e| refused(&e))?;
        Ok(Response::new(SendVerificationResponse {}))
    }

    async fn verify_email(&self, request: Request<VerifyEmailRequest>) -> Result<Response<User>, Status> {
        let user = self.people.verify_email(&request.get_ref().token).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn change_password(&self, request: Request<ChangePasswordRequest>) -> Result<Response<User>, Status> {
        let request = request.into_inner();
        let user = read(&request.user_id, "user_id")?;
        let keep = optional(&request.keep_session_id, "keep_session_id")?;
        let (old, new) = (Password::shown(request.old_password), Password::shown(request.new_password));
        let user = self.people.change_password(user, old, new, keep).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn update_profile(&self, request: Request<UpdateProfileRequest>) -> Result<Response<User>, Status> {
        let request = request.into_inner();
        let user = read(&request.user_id, "user_id")?;
        let name = request.name.as_deref().map(convert::name).transpose()?;
        let phone = request.phone.as_deref().map(convert::phone).transpose()?;
        let updated = self.people.update_profile(user, name, phone, request.check_only).await;
        let user = updated.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let tenant = tenant(&request)?;
        let request = request.into_inner();
        let buyers = several(&request.buyer_ids, "buyer_ids", RECORDS)?;
        let suppliers = several(&request.supplier_ids, "supplier_ids", RECORDS)?;
        let users = self.people.users(tenant, &buyers, &suppliers, request.team).await.map_err(|e| refused(&e))?;
        Ok(Response::new(ListUsersResponse { users: users.iter().map(convert::user).collect() }))
    }

    async fn create_admin(&self, request: Request<CreateAdminRequest>) -> Result<Response<User>, Status> {
        let CreateAdminRequest { user_id, email, password, name } = request.into_inner();
        let id = read(&user_id, "user_id")?;
        let (email, name) = (convert::email(&email)?, convert::name(&name)?);
        let user =
            self.people.create_admin(id, email, Password::shown(password), name).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn invite_user(&self, request: Request<InviteUserRequest>) -> Result<Response<Invitation>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let id = read(&request.invitation_id, "invitation_id")?;
        let email = convert::email(&request.email)?;
        let invited = convert::invited(request.member, &request.supplier_id)?;
        let invitation = self.people.invite_user(actor, tenant, id, email, invited).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::invitation(&invitation)))
    }

    async fn list_invitations(
        &self,
        request: Request<ListInvitationsRequest>,
    ) -> Result<Response<ListInvitationsResponse>, Status> {
        let tenant = tenant(&request)?;
        let supplier = optional(&request.get_ref().supplier_id, "supplier_id")?;
        let invitations = self.people.invitations(tenant, supplier).await.map_err(|e| refused(&e))?;
        let invitations = invitations.iter().map(convert::invitation).collect();
        Ok(Response::new(ListInvitationsResponse { invitations }))
    }

    async fn revoke_invitation(
        &self,
        request: Request<RevokeInvitationRequest>,
    ) -> Result<Response<RevokeInvitationResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let id = read(&request.invitation_id, "invitation_id")?;
        let supplier = optional(&request.supplier_id, "supplier_id")?;
        self.people.revoke_invitation(actor, tenant, id, supplier).await.map_err(|e| refused(&e))?;
        Ok(Response::new(RevokeInvitationResponse {}))
    }

    async fn accept_invitation(&self, request: Request<AcceptInvitationRequest>) -> Result<Response<User>, Status> {
        let request = convert::accept_invitation(request.into_inner())?;
        let user = self.people.accept_invitation(request).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn change_member(&self, request: Request<ChangeMemberRequest>) -> Result<Response<User>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let id = read(&request.user_id, "user_id")?;
        let member = convert::member(request.member)?;
        let user = self.people.change_member(actor, tenant, id, member).await.map_err(|e| refused(&e))?;
        Ok(Response::new(convert::user(&user)))
    }

    async fn remove_user(&self, request: Request<RemoveUserRequest>) -> Result<Response<RemoveUserResponse>, Status> {
        let (tenant, actor) = (tenant(&request)?, actor(&request)?);
        let request = request.into_inner();
        let id = read(&request.user_id, "user_id")?;
        let supplier = optional(&request.supplier_id, "supplier_id")?;
        self.people.remove_user(actor, tenant, id, supplier).await.map_err(|e| refused(&e))?;
        Ok(Response::new(RemoveUserResponse {}))
    }
}
