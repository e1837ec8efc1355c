//! The people who sign in.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, SellerId, SupplierId, UserId};

use crate::{Email, Invalid, Name, Reason};

/// What somebody is to the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sells leads: a tenant's owner or one of its team.
    Seller,
    /// Buys leads from one seller.
    Buyer,
    /// Posts leads to one seller.
    Supplier,
    /// Runs the platform.
    Admin,
}

impl Role {
    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seller => "SELLER",
            Self::Buyer => "BUYER",
            Self::Supplier => "SUPPLIER",
            Self::Admin => "ADMIN",
        }
    }
}

/// What a seller's team member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// Everything.
    Owner,
    /// Everything but the team itself.
    Manager,
    /// See everything, change nothing.
    Viewer,
}

impl Member {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Manager, Self::Viewer];

    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "OWNER",
            Self::Manager => "MANAGER",
            Self::Viewer => "VIEWER",
        }
    }

    /// Reads what [`Member::code`] wrote.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.code() == code)
    }
}

/// Where somebody belongs. There is no role without the record that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To a seller's team.
    Seller(SellerId, Member),
    /// To a buyer.
    Buyer(SellerId, BuyerId),
    /// To a supplier.
    Supplier(SellerId, SupplierId),
    /// To no tenant.
    Admin,
}

impl Place {
    /// The role that goes with it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Seller(..) => Role::Seller,
            Self::Buyer(..) => Role::Buyer,
            Self::Supplier(..) => Role::Supplier,
            Self::Admin => Role::Admin,
        }
    }

    /// The rights that go with it: only in a seller's team are there any but an owner's.
    #[must_use]
    pub const fn member(self) -> Member {
        match self {
            Self::Seller(_, member) => member,
            Self::Buyer(..) | Self::Supplier(..) | Self::Admin => Member::Owner,
        }
    }

    /// The tenant.
    #[must_use]
    pub const fn seller_id(self) -> Option<SellerId> {
        match self {
            Self::Seller(id, _) | Self::Buyer(id, _) | Self::Supplier(id, _) => Some(id),
            Self::Admin => None,
        }
    }

    /// The buyer.
    #[must_use]
    pub const fn buyer_id(self) -> Option<BuyerId> {
        match self {
            Self::Buyer(_, id) => Some(id),
            _ => None,
        }
    }

    /// The supplier.
    #[must_use]
    pub const fn supplier_id(self) -> Option<SupplierId> {
        match self {
            Self::Supplier(_, id) => Some(id),
            _ => None,
        }
    }
}

/// A telephone number in E.164: `+`, then 8 to 15 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);

impl Phone {
    /// Reads a number for `field`; the usual signs between digits are dropped, empty is none.
    ///
    /// # Errors
    /// [`Reason::Phone`].
    pub fn parse(field: &'static str, text: &str) -> Result<Option<Self>, Invalid> {
        let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
        if number.is_empty() {
            return Ok(None);
        }
        let digits = number.strip_prefix('+').unwrap_or_default();
        let good = (8..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if good { Ok(Some(Self(number))) } else { Err(Invalid::new(field, Reason::Phone)) }
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// What a new user is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Made by the caller.
    pub id: UserId,
    /// By which he signs in.
    pub email: Email,
    /// What he is called.
    pub name: Name,
    /// Where he is called.
    pub phone: Option<Phone>,
    /// Where he belongs.
    pub place: Place,
}

impl NewUser {
    /// Everything but the password that makes two requests to create him the same request.
    #[must_use]
    pub fn content(&self) -> Vec<String> {
        vec![
            self.email.key().to_owned(),
            self.name.as_str().to_owned(),
            self.phone.as_ref().map_or_else(String::new, |phone| phone.as_str().to_owned()),
            self.place.role().code().to_owned(),
        ]
    }
}

/// Somebody who signs in, as he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// His id.
    pub id: UserId,
    /// By which he signs in.
    pub email: Email,
    /// What he is called.
    pub name: Name,
    /// Where he is called.
    pub phone: Option<Phone>,
    /// Where he belongs.
    pub place: Place,
    /// Whether the address was shown to be his.
    pub email_verified: bool,
    /// When he registered.
    pub created_at: DateTime<Utc>,
    /// Of the seller, buyer or supplier; empty for an administrator.
    pub company_name: String,
    /// Whether all that he belongs to is in use.
    pub may_sign_in: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_international() {
        let read = |text| Phone::parse("phone", text).map(|phone| phone.map(|p| p.as_str().to_owned()));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("+1 (212) 555-0123"), Ok(Some("+12125550123".to_owned())));
        assert_eq!(read("+49.30.123456"), Ok(Some("+4930123456".to_owned())));
        for bad in
            ["2125550123", "+0125550123", "+1", "+1234567890123456", "+1212555012x", "++12125550123", "+", "call me"]
        {
            assert_eq!(read(bad), Err(Invalid::new("phone", Reason::Phone)), "{bad}");
        }
    }

    #[test]
    fn a_role_brings_the_records_it_is_about() {
        let (seller, buyer) = (SellerId::new(), BuyerId::new());
        let place = Place::Buyer(seller, buyer);
        assert_eq!((place.role(), place.member()), (Role::Buyer, Member::Owner));
        assert_eq!((place.seller_id(), place.buyer_id(), place.supplier_id()), (Some(seller), Some(buyer), None));
        assert_eq!(Place::Admin.seller_id(), None);
        assert_eq!(Place::Seller(seller, Member::Viewer).member(), Member::Viewer);
    }
}
