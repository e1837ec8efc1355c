//! Signing in by Google: what an id token must say, and whose account it opens.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::UserId;

use crate::{Email, InviteText, Name, Place, TimeZone, User};

/// How far the issuer's clock may be from ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// As OpenID Connect bounds it.
const MAX_SUBJECT: usize = 255;
/// Domains whose addresses Google gives out itself.
const GOOGLES_OWN: [&str; 2] = ["gmail.com", "googlemail.com"];

/// What an id token says, whose signature has been verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdToken {
    /// `iss`
    pub issuer: String,
    /// `aud`
    pub audiences: Vec<String>,
    /// `azp`
    pub authorized_party: Option<String>,
    /// `exp`, in seconds since 1970.
    pub expires_at: i64,
    /// `iat`, in seconds since 1970.
    pub issued_at: i64,
    /// `nonce`
    pub nonce: Option<String>,
    /// `sub`
    pub subject: String,
    /// `email`
    pub email: Option<String>,
    /// `email_verified`
    pub email_verified: bool,
    /// `hd`: whose Workspace the account is of.
    pub hosted_domain: Option<String>,
    /// `name`
    pub name: Option<String>,
}

/// What it must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whom it is from.
    pub issuer: &'a str,
    /// Whom it is for.
    pub client_id: &'a str,
    /// Which sign-in it is for.
    pub nonce: &'a str,
}

/// Somebody whom Google knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GooglePerson {
    /// Who says so.
    pub issuer: String,
    /// What never changes of the account.
    pub subject: String,
    /// The account's address, which was shown to be its owner's at some time.
    pub email: Email,
    /// Whether the address is the owner's now: Google gives it out itself, or it is of the owner's Workspace. Any other
    /// may have gone to somebody else since Google looked.
    pub owns_email: bool,
    /// What the owner is called.
    pub name: Name,
}

/// Why an id token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// From somebody else.
    #[error("it is from another issuer")]
    Issuer,
    /// For another client.
    #[error("it is for another client")]
    Audience,
    /// Too old.
    #[error("it has expired")]
    Expired,
    /// Not from now.
    #[error("it is from the future")]
    Future,
    /// For another sign-in.
    #[error("its nonce is of another sign-in")]
    Nonce,
    /// No subject, or one that cannot be one.
    #[error("it names nobody")]
    Subject,
    /// No address, or one that we do not take.
    #[error("it has no usable e-mail address")]
    Email,
    /// An address that may be anybody's.
    #[error("its e-mail address is not verified")]
    EmailUnverified,
}

impl IdToken {
    /// Whom it is about, if it is what was expected at `now`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn accept(self, expected: Expected<'_>, now: DateTime<Utc>) -> Result<GooglePerson, TokenRefusal> {
        if self.issuer != expected.issuer {
            return Err(TokenRefusal::Issuer);
        }
        let ours = |party: &String| party == expected.client_id;
        let for_us = match &self.authorized_party {
            Some(party) => ours(party) && self.audiences.iter().any(ours),
            // A token for several must say which of them asked for it.
            None => self.audiences.len() == 1 && self.audiences.iter().all(ours),
        };
        if !for_us {
            return Err(TokenRefusal::Audience);
        }
        if self.expires_at <= (now - LEEWAY).timestamp() {
            return Err(TokenRefusal::Expired);
        }
        if self.issued_at > (now + LEEWAY).timestamp() {
            return Err(TokenRefusal::Future);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(TokenRefusal::Nonce);
        }
        let visible = !self.subject.is_empty() && self.subject.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || self.subject.len() > MAX_SUBJECT {
            return Err(TokenRefusal::Subject);
        }
        if !self.email_verified {
            return Err(TokenRefusal::EmailUnverified);
        }
        let email = Email::parse("email", self.email.as_deref().unwrap_or_default());
        let email = email.map_err(|_| TokenRefusal::Email)?;
        let domain = email.key().rsplit('@').next().unwrap_or_default();
        let owns_email = GOOGLES_OWN.contains(&domain)
            || self.hosted_domain.as_deref().is_some_and(|hosted| hosted.eq_ignore_ascii_case(domain));
        // A name that cannot be used is no reason to keep somebody out.
        let name = Name::parse("name", self.name.as_deref().unwrap_or_default())
            .or_else(|_| Name::parse("name", email.local()))
            .map_err(|_| TokenRefusal::Email)?;
        Ok(GooglePerson { issuer: self.issuer, subject: self.subject, owns_email, email, name })
    }
}

/// What somebody wants to be registered as who has no account yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Not at all.
    SignIn,
    /// As a new seller.
    Sell {
        /// His company.
        company_name: Name,
        /// Where its days begin.
        time_zone: TimeZone,
    },
    /// As a buyer of the seller whose code it is.
    Buy {
        /// His company; he himself when he names none.
        company_name: Option<Name>,
        /// As he typed it.
        invite: InviteText,
    },
}

/// A sign-in that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where Google sends the browser back to.
    pub redirect_uri: String,
    /// Where the browser goes at the end.
    pub return_to: String,
    /// What to register as.
    pub wish: Wish,
}

/// The account that has the person's e-mail address.
#[derive(Debug, Clone, Copy)]
pub struct Namesake<'a> {
    /// Its user.
    pub user: &'a User,
    /// Whether it is opened by a Google account already.
    pub has_google: bool,
}

/// What becomes of somebody who comes by Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// He is signed in as this user, whose Google account it is.
    SignIn(UserId),
    /// From now on it is this user's Google account, and he is signed in.
    Link(UserId),
    /// He is nobody's namesake, and may be registered.
    Register,
    /// The address is of an account that cannot be given to him on its strength alone.
    Refuse,
}

impl Entry {
    /// Whose account it is: that of the user with this Google account, whatever their addresses are now. Without one, the
    /// account with the same address, if both sides have verified it and Google answers for it today. An address that
    /// was registered here and never verified may be a stranger's: opening it would let him in later, with the
    /// password he chose. An account with another Google account, and an administrator's, is not opened by its address.
    #[must_use]
    pub fn of(person: &GooglePerson, linked: Option<UserId>, namesake: Option<Namesake<'_>>) -> Self {
        match (linked, namesake) {
            (Some(user), _) => Self::SignIn(user),
            (None, None) => Self::Register,
            (None, Some(Namesake { user, has_google })) => {
                let proven = user.email_verified && person.owns_email;
                if proven && !has_google && user.place != Place::Admin { Self::Link(user.id) } else { Self::Refuse }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::SellerId;

    use super::*;
    use crate::Member;

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'static> =
        Expected { issuer: "https://accounts.google.com", client_id: "us", nonce: "this one" };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }

    fn token() -> IdToken {
        IdToken {
            issuer: EXPECTED.issuer.into(),
            audiences: vec!["us".into()],
            expires_at: NOW + 3_600,
            issued_at: NOW,
            nonce: Some("this one".into()),
            subject: "1234567890".into(),
            email: Some("Jane@Gmail.com".into()),
            email_verified: true,
            name: Some("Jane".into()),
            ..IdToken::default()
        }
    }

    fn refused(change: impl FnOnce(&mut IdToken)) -> TokenRefusal {
        let mut token = token();
        change(&mut token);
        token.accept(EXPECTED, now()).unwrap_err()
    }

    #[test]
    fn everything_in_a_token_must_be_as_expected() {
        let person = token().accept(EXPECTED, now()).unwrap();
        assert_eq!(
            (person.subject.as_str(), person.email.key(), person.owns_email),
            ("1234567890", "jane@gmail.com", true)
        );
        use TokenRefusal as R;
        assert_eq!(refused(|t| t.issuer = "https://accounts.google.com/".into()), R::Issuer);
        assert_eq!(refused(|t| t.issuer = "accounts.google.com.evil.example".into()), R::Issuer);
        assert_eq!(refused(|t| t.audiences = vec!["them".into()]), R::Audience);
        assert_eq!(refused(|t| t.audiences = vec![]), R::Audience);
        assert_eq!(refused(|t| t.audiences = vec!["us".into(), "them".into()]), R::Audience);
        assert_eq!(refused(|t| t.authorized_party = Some("them".into())), R::Audience);
        assert_eq!(refused(|t| t.expires_at = NOW - 60), R::Expired);
        assert_eq!(refused(|t| t.expires_at = 0), R::Expired);
        assert_eq!(refused(|t| t.issued_at = NOW + 61), R::Future);
        assert_eq!(refused(|t| t.nonce = Some("another".into())), R::Nonce);
        assert_eq!(refused(|t| t.nonce = None), R::Nonce);
        assert_eq!(refused(|t| t.subject = String::new()), R::Subject);
        assert_eq!(refused(|t| t.subject = "a b".into()), R::Subject);
        assert_eq!(refused(|t| t.subject = "9".repeat(256)), R::Subject);
        assert_eq!(refused(|t| t.email = None), R::Email);
        assert_eq!(refused(|t| t.email = Some("nonsense".into())), R::Email);
        assert_eq!(refused(|t| t.email_verified = false), R::EmailUnverified);
        // Its clock may be a little off, and several parties may be named if it says which asked.
        let mut near = token();
        (near.expires_at, near.issued_at) = (NOW - 59, NOW + 60);
        (near.audiences, near.authorized_party) = (vec!["them".into(), "us".into()], Some("us".into()));
        assert!(near.accept(EXPECTED, now()).is_ok());
    }

    #[test]
    fn an_address_is_its_owners_when_google_gives_it_out() {
        let owns = |email: &str, hosted: Option<&str>| {
            let token = IdToken { email: Some(email.into()), hosted_domain: hosted.map(Into::into), ..token() };
            token.accept(EXPECTED, now()).unwrap().owns_email
        };
        assert!(owns("jane@googlemail.com", None));
        assert!(owns("jane@Example.com", Some("example.COM")));
        assert!(!owns("jane@example.com", None));
        assert!(!owns("jane@example.com", Some("other.example")));
        assert!(!owns("jane@gmail.com.example.com", None));
    }

    #[test]
    fn somebody_whom_google_does_not_name_is_called_after_his_address() {
        let name = |name: Option<String>| {
            let token = IdToken { name, ..token() };
            token.accept(EXPECTED, now()).unwrap().name.as_str().to_owned()
        };
        assert_eq!(name(Some("Jane Doe".into())), "Jane Doe");
        for unusable in [None, Some(String::new()), Some("x".repeat(201)), Some("a\nb".into())] {
            assert_eq!(name(unusable), "Jane");
        }
    }

    #[test]
    fn no_account_is_opened_by_an_address_that_only_one_side_has_verified() {
        let person = token().accept(EXPECTED, now()).unwrap();
        let stale = GooglePerson { owns_email: false, ..person.clone() };
        let user = |email_verified, place| User {
            id: UserId::new(),
            email: person.email.clone(),
            name: person.name.clone(),
            phone: None,
            place,
            email_verified,
            created_at: now(),
            company_name: String::new(),
            may_sign_in: true,
        };
        let seller = Place::Seller(SellerId::new(), Member::Owner);
        let verified = user(true, seller);
        fn by(user: &User, has_google: bool) -> Option<Namesake<'_>> {
            Some(Namesake { user, has_google })
        }
        assert_eq!(Entry::of(&person, None, by(&verified, false)), Entry::Link(verified.id));
        assert_eq!(Entry::of(&person, None, by(&verified, true)), Entry::Refuse);
        assert_eq!(Entry::of(&stale, None, by(&verified, false)), Entry::Refuse);
        for other in [user(false, seller), user(true, Place::Admin)] {
            assert_eq!(Entry::of(&person, None, by(&other, false)), Entry::Refuse);
        }
        assert_eq!(Entry::of(&person, None, None), Entry::Register);
        let linked = UserId::new();
        assert_eq!(Entry::of(&stale, Some(linked), by(&verified, false)), Entry::SignIn(linked));
    }
}
