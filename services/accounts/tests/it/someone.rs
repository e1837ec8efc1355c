//! People of the tests, and short ways to let them do things.

use leadflow_contracts::accounts::{
    AdmitRequest, Allowance, GetInviteCodeRequest, LogInRequest, RegisterBuyerRequest, RegisterResponse,
    RegisterSellerRequest, Session, User,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use tonic::{Response, Status};

use crate::world::{World, as_tenant, unbound};

/// Good enough, and nobody's own words.
pub(crate) const PASSWORD: &str = "leads for lunch";
/// Where people sign in from.
pub(crate) const ADDRESS: &str = "192.0.2.7";

pub(crate) fn seller_request(email: &str) -> RegisterSellerRequest {
    RegisterSellerRequest {
        user_id: UserId::new().to_string(),
        seller_id: SellerId::new().to_string(),
        email: email.into(),
        password: PASSWORD.into(),
        name: "Sam Seller".into(),
        company_name: "Acme Leads".into(),
        time_zone: String::new(),
    }
}

pub(crate) fn buyer_request(email: &str, invite_code: &str) -> RegisterBuyerRequest {
    RegisterBuyerRequest {
        user_id: UserId::new().to_string(),
        buyer_id: BuyerId::new().to_string(),
        email: email.into(),
        password: PASSWORD.into(),
        name: "Bea Buyer".into(),
        company_name: "XYZ Agency".into(),
        invite_code: invite_code.into(),
        phone: "+1 212 555 0123".into(),
    }
}

pub(crate) fn log_in_request(email: &str, password: &str) -> LogInRequest {
    LogInRequest {
        email: email.into(),
        password: password.into(),
        address: ADDRESS.into(),
        user_agent: "a browser".into(),
    }
}

/// The tenant that somebody belongs to.
pub(crate) fn tenant(user: &User) -> SellerId {
    user.seller_id.parse().unwrap()
}

impl World {
    pub(crate) async fn registered_seller(&self, email: &str) -> RegisterResponse {
        self.people().register_seller(unbound(seller_request(email))).await.unwrap().into_inner()
    }

    pub(crate) async fn registered_buyer(&self, email: &str, invite_code: &str) -> User {
        let request = buyer_request(email, invite_code);
        self.people().register_buyer(unbound(request)).await.unwrap().into_inner().user.unwrap()
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Result<Response<Session>, Status> {
        self.people().log_in(unbound(log_in_request(email, password))).await
    }

    pub(crate) async fn session(&self, email: &str) -> Session {
        self.log_in(email, PASSWORD).await.unwrap().into_inner()
    }

    /// Whose session this is, if it is good.
    pub(crate) async fn whose(&self, token: &str) -> Option<Session> {
        let request = AdmitRequest { token: token.into(), address: ADDRESS.into(), allowance: Allowance::Read.into() };
        self.people().admit(unbound(request)).await.unwrap().into_inner().session
    }

    pub(crate) async fn invite_code(&self, seller: SellerId) -> String {
        self.people().get_invite_code(as_tenant(seller, GetInviteCodeRequest {})).await.unwrap().into_inner().code
    }
}
