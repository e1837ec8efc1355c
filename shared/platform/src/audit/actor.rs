//! Who acts.

use leadflow_kernel::UserId;

/// What somebody is who acts: a seller's team member by his rights, anybody else by his role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorRole {
    /// Owns a tenant.
    Owner,
    /// Manages a tenant.
    Manager,
    /// Sees a tenant.
    Viewer,
    /// Buys.
    Buyer,
    /// Supplies.
    Supplier,
    /// Runs the platform.
    Admin,
}

impl ActorRole {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Owner, Self::Manager, Self::Viewer, Self::Buyer, Self::Supplier, Self::Admin];

    /// As written down.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "OWNER",
            Self::Manager => "MANAGER",
            Self::Viewer => "VIEWER",
            Self::Buyer => "BUYER",
            Self::Supplier => "SUPPLIER",
            Self::Admin => "ADMIN",
        }
    }

    /// Reads what [`ActorRole::code`] wrote.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// A user, and what he was when he acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// He.
    pub user: UserId,
    /// What he was; `None` when the caller did not say.
    pub role: Option<ActorRole>,
}
