//! The way to Google.

use chrono::TimeDelta;
use leadflow_accounts_domain::{Attempt, TokenText, Wish};
use sha2::{Digest as _, Sha256};

use super::{People, PeopleError, fingerprint};
use crate::{
    outbound::google::{Google, SignInRequest},
    store::{google, invites},
};

/// How long somebody may take at Google.
const LIFE: TimeDelta = TimeDelta::minutes(10);

/// A sign-in that is on its way.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where the browser is sent.
    pub url: String,
    /// What the browser keeps. Not kept here.
    pub browser: TokenText,
    /// How long both work.
    pub life: TimeDelta,
}

/// What only the browser that began a sign-in has: made of its token, so that it is neither stored nor sent before its
/// time.
pub(super) struct Secrets {
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Secrets {
    pub(super) fn of(browser: &str) -> Self {
        let made_for = |purpose: &str| {
            let hash = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(browser).finalize();
            // 64 of the characters that a PKCE verifier may have.
            super::hex(hash.into())
        };
        Self { nonce: made_for("nonce"), verifier: made_for("pkce verifier") }
    }
}

impl People {
    /// Begins signing in by Google. Whoever wants to buy must have an invite code that works now; it is looked at again
    /// at the end.
    ///
    /// # Errors
    /// [`PeopleError::NoGoogle`], [`PeopleError::InviteUnknown`], [`PeopleError::Google`].
    pub async fn begin_google(&self, attempt: &Attempt) -> Result<Begun, PeopleError> {
        let google = self.google()?;
        let now = self.clock.now();
        if let Wish::Buy { invite, .. } = &attempt.wish {
            let mut connection = self.pool.acquire().await?;
            invites::find_open(&mut connection, invite, now).await?.ok_or(PeopleError::InviteUnknown)?;
        }
        let (state, browser) = (super::new_token()?, super::new_token()?);
        let Secrets { nonce, verifier } = Secrets::of(browser.reveal());
        let request = SignInRequest {
            redirect_uri: &attempt.redirect_uri,
            state: state.reveal(),
            nonce: &nonce,
            verifier: &verifier,
        };
        let url = google.authorization_url(request, now).await?;
        let (state, kept) = (fingerprint(state.reveal()), fingerprint(browser.reveal()));
        let mut connection = self.pool.acquire().await?;
        google::begin(&mut connection, state, kept, attempt, now + LIFE).await?;
        Ok(Begun { url, browser, life: LIFE })
    }

    pub(super) fn google(&self) -> Result<&Google, PeopleError> {
        self.google.as_ref().ok_or(PeopleError::NoGoogle)
    }
}
