//! Mails that users are to be sent. The one who sends them is another service, so what is in them travels sealed:
//! neither the stream nor whoever watches it can use a link.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Invitation, MailKind, TokenText, User};
use leadflow_contracts::{events, time_to_ms};
use leadflow_kernel::{MailId, SellerId};
use leadflow_platform::grpc::ServiceToken;
use prost::Message as _;
use rand::{TryRng as _, rngs::SysRng};

/// What the key is derived for.
const PURPOSE: &str = "mail contents";
const NONCE: usize = 12;

/// Seals and opens mails with keys that every service has: seals with the first, opens with any.
#[derive(Clone)]
pub struct Sealer(Vec<Aes256Gcm>);

/// A mail cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mail cannot be sealed or opened")]
pub struct SealError;

impl Sealer {
    /// With the services' keys.
    #[must_use]
    pub fn new(token: &ServiceToken) -> Self {
        Self(token.derive_keys(PURPOSE).iter().map(|key| Aes256Gcm::new(key.into())).collect())
    }

    /// The event that asks for a mail with a link that works until `expires_at`.
    ///
    /// # Errors
    /// [`SealError`] without randomness.
    pub fn mail_wanted(
        &self,
        kind: MailKind,
        user: &User,
        token: &TokenText,
        expires_at: DateTime<Utc>,
    ) -> Result<events::MailWanted, SealError> {
        let contents = events::MailContents {
            email: user.email.as_str().to_owned(),
            name: user.name.as_str().to_owned(),
            token: token.reveal().to_owned(),
            company_name: String::new(),
        };
        let mail = self.seal(kind, &contents, user.place.seller_id(), expires_at)?;
        Ok(events::MailWanted { user_id: user.id.to_string(), ..mail })
    }

    /// The event that asks for the mail of an invitation by `company_name`.
    ///
    /// # Errors
    /// [`SealError`] without randomness.
    pub fn invitation(
        &self,
        invitation: &Invitation,
        company_name: &str,
        token: &TokenText,
    ) -> Result<events::MailWanted, SealError> {
        let contents = events::MailContents {
            email: invitation.email.as_str().to_owned(),
            name: String::new(),
            token: token.reveal().to_owned(),
            company_name: company_name.to_owned(),
        };
        self.seal(invitation.invited.mail(), &contents, Some(invitation.seller_id), invitation.expires_at)
    }

    fn seal(
        &self,
        kind: MailKind,
        contents: &events::MailContents,
        seller_id: Option<SellerId>,
        expires_at: DateTime<Utc>,
    ) -> Result<events::MailWanted, SealError> {
        let mail_id = MailId::new().to_string();
        let mut nonce = [0_u8; NONCE];
        SysRng.try_fill_bytes(&mut nonce).map_err(|_| SealError)?;
        let payload = Payload { msg: &contents.encode_to_vec(), aad: mail_id.as_bytes() };
        let cipher = self.0.first().ok_or(SealError)?;
        let ciphertext = cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| SealError)?;
        Ok(events::MailWanted {
            mail_id,
            kind: match kind {
                MailKind::ResetPassword => events::MailKind::ResetPassword,
                MailKind::VerifyEmail => events::MailKind::VerifyEmail,
                MailKind::TeamInvitation => events::MailKind::TeamInvitation,
                MailKind::SupplierInvitation => events::MailKind::SupplierInvitation,
            }
            .into(),
            user_id: String::new(),
            seller_id: seller_id.map_or_else(String::new, |id| id.to_string()),
            sealed: [&nonce[..], &ciphertext].concat().into(),
            expires_at_ms: time_to_ms(expires_at),
        })
    }

    /// What is in a mail.
    ///
    /// # Errors
    /// [`SealError`] when it was sealed with another key, or changed.
    pub fn open(&self, mail: &events::MailWanted) -> Result<events::MailContents, SealError> {
        let (nonce, ciphertext) = mail.sealed.split_at_checked(NONCE).ok_or(SealError)?;
        let open = |cipher: &Aes256Gcm| {
            let payload = Payload { msg: ciphertext, aad: mail.mail_id.as_bytes() };
            cipher.decrypt(Nonce::from_slice(nonce), payload).ok()
        };
        let contents = self.0.iter().find_map(open).ok_or(SealError)?;
        events::MailContents::decode(&contents[..]).map_err(|_| SealError)
    }
}

#[cfg(test)]
mod tests {
    use leadflow_accounts_domain::{Email, Name, Place};
    use leadflow_kernel::UserId;

    use super::*;

    fn user() -> User {
        User {
            id: UserId::new(),
            email: Email::parse("email", "ann@example.com").unwrap(),
            name: Name::parse("name", "Ann").unwrap(),
            phone: None,
            place: Place::Admin,
            email_verified: false,
            created_at: chrono::DateTime::UNIX_EPOCH,
            company_name: String::new(),
            may_sign_in: true,
        }
    }

    #[test]
    fn a_mail_sealed_before_the_token_was_replaced_opens_while_both_are_set() {
        let (old, new) = ("the token of yesterday", "the token of tomorrow");
        let sealer = |tokens: &[&str]| Sealer::new(&ServiceToken::new(tokens.join(",")));
        let token = TokenText::from_random([7; 32]);
        let mail = |sealer: &Sealer| {
            sealer.mail_wanted(MailKind::ResetPassword, &user(), &token, chrono::DateTime::UNIX_EPOCH).unwrap()
        };
        let before = mail(&sealer(&[old]));
        assert_eq!(sealer(&[new, old]).open(&before).unwrap().token, token.reveal());
        assert_eq!(sealer(&[new]).open(&before).unwrap_err(), SealError);
        // What is sealed meanwhile needs the new one only.
        let after = mail(&sealer(&[new, old]));
        assert_eq!(sealer(&[new]).open(&after).unwrap().email, "ann@example.com");
        assert_eq!(sealer(&[old]).open(&after).unwrap_err(), SealError);
        // And it is bound to its mail.
        let moved = events::MailWanted { mail_id: MailId::new().to_string(), ..after };
        assert_eq!(sealer(&[new]).open(&moved).unwrap_err(), SealError);
    }
}
