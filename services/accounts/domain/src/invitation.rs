//! Somebody who is asked to sign in for a seller or one of its suppliers.

use chrono::{DateTime, Utc};
use leadflow_kernel::{InvitationId, SellerId, SupplierId, UserId};

use crate::{Email, MailKind, Member, Place};

/// What somebody is invited to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// One of the seller's team.
    Team(Member),
    /// A user of one of its suppliers.
    Supplier(SupplierId),
}

impl Invited {
    /// Where he will belong.
    #[must_use]
    pub const fn place(self, seller: SellerId) -> Place {
        match self {
            Self::Team(member) => Place::Seller(seller, member),
            Self::Supplier(supplier) => Place::Supplier(seller, supplier),
        }
    }

    /// The supplier.
    #[must_use]
    pub const fn supplier_id(self) -> Option<SupplierId> {
        match self {
            Self::Team(_) => None,
            Self::Supplier(id) => Some(id),
        }
    }

    /// The mail by which he hears of it, whose life is the invitation's.
    #[must_use]
    pub const fn mail(self) -> MailKind {
        match self {
            Self::Team(_) => MailKind::TeamInvitation,
            Self::Supplier(_) => MailKind::SupplierInvitation,
        }
    }
}

/// An invitation that has not been accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id, made by the caller.
    pub id: InvitationId,
    /// The tenant that invites.
    pub seller_id: SellerId,
    /// Whom.
    pub email: Email,
    /// What for.
    pub invited: Invited,
    /// Who of the team did, if the call said.
    pub invited_by: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

impl Invitation {
    /// The most that a tenant may have open at one time.
    pub const AT_MOST: u32 = 100;

    /// Whether another request to invite is the same: the same person, for the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.id, self.seller_id, self.invited) == (other.id, other.seller_id, other.invited)
            && self.email.key() == other.email.key()
    }
}
