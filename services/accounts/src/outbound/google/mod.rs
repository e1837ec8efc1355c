//! Google as an OpenID provider: authorization code flow with PKCE.

mod crypto;
mod discovery;
mod keys;

mod token;

use std::{fmt, sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Method, header};
use leadflow_accounts_domain::{Expected, GooglePerson, TokenRefusal};
use leadflow_outbound_http::{Answer, BuildError, Client, Options};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use self::{discovery::Discovery, keys::Keys};

/// For each of the few requests that a sign-in takes.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Google's answers have a few kilobytes.
const MAX_ANSWER: usize = 256 << 10;
/// What is asked about somebody.
const SCOPE: &str = "openid email profile";
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How this installation is known to Google.
#[derive(Clone)]
pub struct GoogleSettings {
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// Who signs the id tokens, exactly as they say it.
    pub issuer: String,
    /// Whether the issuer may be on this machine.
    pub allow_loopback: bool,
}

impl fmt::Debug for GoogleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, issuer, allow_loopback, .. } = self;
        write!(f, "GoogleSettings {{ {client_id}, {issuer}, loopback: {allow_loopback} }}")
    }
}

/// Why Google did not tell who somebody is.
#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    /// No answer, or one that is of no use: it may be better later.
    #[error("the identity provider cannot be used: {0}")]
    Away(String),
    /// The code is not taken: used, too old, or of somebody else.
    #[error("the code is not taken: {0}")]
    Code(String),
    /// The id token is not what its issuer signed for us.
    #[error("the id token is not taken: {0}")]
    Token(String),
    /// The id token is good, and what it says is not what was asked for.
    #[error("the id token is not taken: {0}")]
    Claims(#[from] TokenRefusal),
}

/// Asks Google. Clones share what has been learnt of it.
#[derive(Clone)]
pub struct Google(Arc<Parts>);

struct Parts {
    settings: GoogleSettings,
    client: Client,
    discovery: Discovery,
    keys: Keys,
}

/// What makes one sign-in.
#[derive(Debug, Clone, Copy)]
pub struct SignInRequest<'a> {
    /// Where Google sends the browser back to.
    pub redirect_uri: &'a str,
    /// Comes back with the browser.
    pub state: &'a str,
    /// Comes back in the id token.
    pub nonce: &'a str,
    /// What the code is bound to; only its hash is told beforehand.
    pub verifier: &'a str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Deserialize, Default)]
struct TokenError {
    #[serde(default)]
    error: String,
}

impl Google {
    /// Nothing is asked before the first sign-in.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: GoogleSettings) -> Result<Self, BuildError> {
        crypto::install();
        let client = Client::new(Options {
            purpose: "google",
            total_timeout: REQUEST_WITHIN,
            connect_timeout: CONNECT_WITHIN,
            body_cap: MAX_ANSWER,
            // Neither documents nor secrets go where an answer says.
            max_redirects: 0,
            allow_loopback: settings.allow_loopback,
            ..Options::default()
        })?;
        Ok(Self(Arc::new(Parts { settings, client, discovery: Discovery::default(), keys: Keys::default() })))
    }

    /// Where the browser is sent.
    ///
    /// # Errors
    /// [`GoogleError::Away`].
    pub async fn authorization_url(
        &self,
        request: SignInRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<String, GoogleError> {
        let provider = self.0.discovery.provider(self, now).await?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(request.verifier));
        let mut url = provider.authorization_endpoint.clone();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.0.settings.client_id),
            ("redirect_uri", request.redirect_uri),
            ("scope", SCOPE),
            ("state", request.state),
            ("nonce", request.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            // Somebody with several accounts, or at a machine of several people, says who he is.
            ("prompt", "select_account"),
        ]);
        Ok(url.into())
    }

    /// Who it is that came back with `code`.
    ///
    /// # Errors
    /// [`GoogleError`].
    pub async fn person(
        &self,
        code: &str,
        request: SignInRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<GooglePerson, GoogleError> {
        let provider = self.0.discovery.provider(self, now).await?;
        let id_token = self.exchange(&provider.token_endpoint, code, request).await?;
        let unsigned = token::read(&id_token)?;
        let key = self.0.keys.find(self, &provider.jwks_uri, &unsigned, now).await?;
        let claims = token::verify(&id_token, &key)?;
        let Parts { settings: GoogleSettings { issuer, client_id, .. }, .. } = &*self.0;
        Ok(claims.accept(Expected { issuer, client_id, nonce: request.nonce }, now)?)
    }

    async fn exchange(&self, endpoint: &Url, code: &str, request: SignInRequest<'_>) -> Result<String, GoogleError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", request.redirect_uri),
                ("code_verifier", request.verifier),
            ])
            .finish();
        let settings = &self.0.settings;
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials =
            BASE64_STANDARD.encode(format!("{}:{}", encoded(&settings.client_id), encoded(&settings.client_secret)));
        let mut authorization = HeaderValue::try_from(format!("Basic {credentials}")).map_err(away)?;
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, FORM),
            (header::ACCEPT, JSON),
            (header::AUTHORIZATION, authorization),
        ]);
        let answer = self.0.client.post(endpoint.as_str(), headers, Bytes::from(body)).await.map_err(away)?;
        if matches!(answer.status, 400 | 401) {
            let TokenError { error } = serde_json::from_slice(&answer.body).unwrap_or_default();
            // Our own settings are wrong with any other code than this one, and whoever signs in cannot mend that.
            return Err(if error == "invalid_grant" {
                GoogleError::Code(error)
            } else {
                // From outside, and for the log: no more of it than an error's name is long.
                let name: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
                tracing::error!(error = name, "the identity provider does not take our requests");
                GoogleError::Away(name)
            });
        }
        let TokenAnswer { id_token } = document(&answer)?;
        Ok(id_token)
    }

    /// Reads a JSON document of the provider.
    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, GoogleError> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, JSON)]);
        let answer = self.0.client.send(Method::GET, url, headers, Bytes::new()).await.map_err(away)?;
        document(&answer)
    }

    fn settings(&self) -> &GoogleSettings {
        &self.0.settings
    }
}

fn document<T: DeserializeOwned>(answer: &Answer) -> Result<T, GoogleError> {
    if answer.status != 200 || answer.truncated {
        return Err(GoogleError::Away(format!("status {}", answer.status)));
    }
    // The parser's words may repeat what it read, which may be a token.
    serde_json::from_slice(&answer.body).map_err(|_| GoogleError::Away("an answer cannot be read".to_owned()))
}

fn away(error: impl fmt::Display) -> GoogleError {
    GoogleError::Away(error.to_string())
}
