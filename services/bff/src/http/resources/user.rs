//! People as they look in JSON.

use leadflow_contracts::accounts::{Member as MemberProto, Role as RoleProto, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::values::Time;

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Role {
    Seller,
    Buyer,
    Supplier,
    Admin,
}

/// In a seller's team.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = TeamRole)]
pub(super) enum Member {
    /// May do everything.
    Owner,
    /// Everything but what concerns the team, and the audit.
    Manager,
    /// Sees, changes nothing.
    Viewer,
}

impl Member {
    pub(super) const fn of(member: MemberProto) -> Self {
        match member {
            MemberProto::Owner => Self::Owner,
            MemberProto::Manager => Self::Manager,
            MemberProto::Viewer | MemberProto::Unspecified => Self::Viewer,
        }
    }

    pub(super) const fn to_proto(self) -> MemberProto {
        match self {
            Self::Owner => MemberProto::Owner,
            Self::Manager => MemberProto::Manager,
            Self::Viewer => MemberProto::Viewer,
        }
    }
}

/// Somebody who signs in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(super) struct UserView {
    id: String,
    email: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    phone: String,
    role: Role,
    /// What a member of a seller's team may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    company_name: String,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    seller_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    buyer_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    supplier_id: String,
    /// Of a seller who has just registered: what its buyers register with.
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_code: Option<String>,
}

impl UserView {
    pub(super) fn of(user: User) -> Self {
        let role = match user.role() {
            RoleProto::Seller => Role::Seller,
            RoleProto::Supplier => Role::Supplier,
            RoleProto::Admin => Role::Admin,
            RoleProto::Buyer | RoleProto::Unspecified => Role::Buyer,
        };
        let member = (user.role() == RoleProto::Seller).then(|| Member::of(user.member()));
        Self {
            id: user.user_id,
            email: user.email,
            name: user.name,
            phone: user.phone,
            role,
            member,
            company_name: user.company_name,
            email_verified: user.email_verified,
            created_at: Time::from_ms(user.created_at_ms),
            seller_id: user.seller_id,
            buyer_id: user.buyer_id,
            supplier_id: user.supplier_id,
            invite_code: None,
        }
    }

    pub(super) fn with_invite_code(self, code: String) -> Self {
        Self { invite_code: Some(code).filter(|code| !code.is_empty()), ..self }
    }
}

/// `{user}`.
#[derive(Serialize, ToSchema)]
#[schema(as = UserAnswer)]
pub(super) struct UserAnswer {
    pub(super) user: UserView,
}
