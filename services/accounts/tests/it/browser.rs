//! People at the sandbox's stand-in for Google, each with a browser.

use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use leadflow_accounts::outbound::google::GoogleSettings;
use leadflow_contracts::accounts::{
    BeginGoogleRequest, FinishGoogleRequest, GoogleAttempt, GoogleSignIn, Role, people_client::PeopleClient,
};
use leadflow_kernel::ManualClock;
use leadflow_platform::{Shutdown, grpc::Channel};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::{Response, Status};
use url::{Url, form_urlencoded};

use crate::{
    someone::ADDRESS,
    world::{World, code, unbound},
};

pub(crate) const BACK: &str = "http://localhost:3000/api/auth/callback/google";

/// A world that is known to a provider of its own.
pub(crate) struct Google {
    pub(crate) world: World,
    address: String,
    http: Client<HttpConnector, Full<Bytes>>,
    stop: Shutdown,
}

impl Drop for Google {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Somebody as the provider knows him.
#[derive(Debug, Clone)]
pub(crate) struct Jane {
    pub(crate) email: &'static str,
    /// Whether the address is of his Workspace.
    pub(crate) hosted: bool,
}

pub(crate) const JANE: Jane = Jane { email: "jane@example.com", hosted: true };

/// A browser that has been at the provider.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    pub(crate) token: String,
    pub(crate) state: String,
    pub(crate) code: String,
    pub(crate) error: String,
}

impl Browser {
    pub(crate) fn request(&self) -> FinishGoogleRequest {
        let Self { token, state, code, error } = self.clone();
        FinishGoogleRequest {
            state,
            code,
            error,
            browser_token: token,
            address: ADDRESS.into(),
            user_agent: "a browser".into(),
        }
    }

    pub(crate) async fn finish(&self, mut people: PeopleClient<Channel>) -> Result<Response<GoogleSignIn>, Status> {
        people.finish_google(unbound(self.request())).await
    }
}

/// To sign in only.
pub(crate) fn plain() -> BeginGoogleRequest {
    BeginGoogleRequest { redirect_uri: BACK.into(), return_to: "/leads".into(), ..Default::default() }
}

pub(crate) fn as_seller() -> BeginGoogleRequest {
    BeginGoogleRequest { role: Role::Seller.into(), company_name: "Jane's Leads".into(), ..plain() }
}

pub(crate) fn as_buyer(invite_code: &str) -> BeginGoogleRequest {
    BeginGoogleRequest { role: Role::Buyer.into(), invite_code: invite_code.into(), ..plain() }
}

impl Google {
    pub(crate) async fn start() -> Self {
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let config = leadflow_sandbox::Config::default();
        let settings = GoogleSettings {
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            issuer: leadflow_sandbox::google_issuer(&address),
            allow_loopback: true,
        };
        let stop = Shutdown::new();
        let listeners =
            leadflow_sandbox::Listeners { http: listener, smtp: TcpListener::bind("127.0.0.1:0").await.unwrap() };
        tokio::spawn(leadflow_sandbox::run_at(config, listeners, Arc::new(clock.clone()), stop.clone()));
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { world: World::with_google(settings, clock).await, address, http, stop }
    }

    async fn send(&self, method: Method, url: &str, kind: &str, body: String) -> http::Response<()> {
        let request = Request::builder().method(method).uri(url).header(header::CONTENT_TYPE, kind);
        let response = self.http.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        response.map(|_| ())
    }

    /// Tells the provider what to do wrong; an empty object: nothing.
    pub(crate) async fn misbehave(&self, how: Value) {
        let url = format!("{}/api/google/behaviour", self.address);
        assert_eq!(self.send(Method::PUT, &url, "application/json", how.to_string()).await.status(), 204, "{how}");
    }

    /// The provider signs with a new key from now on.
    pub(crate) async fn replace_key(&self) {
        let url = format!("{}/api/google/keys", self.address);
        assert_eq!(self.send(Method::POST, &url, "application/json", String::new()).await.status(), 204);
    }

    pub(crate) async fn begin(&self, request: BeginGoogleRequest) -> GoogleAttempt {
        self.world.people().begin_google(unbound(request)).await.unwrap().into_inner()
    }

    /// Lets somebody say at the provider who he is.
    pub(crate) async fn visit(&self, attempt: &GoogleAttempt, who: &Jane) -> Browser {
        let mut form = vec![("email", who.email), ("name", "Jane Doe"), ("verified", "on")];
        if who.hosted {
            form.push(("hosted", "on"));
        }
        self.submit(attempt, &form).await
    }

    pub(crate) async fn cancel(&self, attempt: &GoogleAttempt) -> Browser {
        self.submit(attempt, &[("cancel", "on")]).await
    }

    async fn submit(&self, attempt: &GoogleAttempt, said: &[(&str, &str)]) -> Browser {
        let page: Url = attempt.authorization_url.parse().unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(page.query_pairs())
            .extend_pairs(said)
            .finish();
        let at = page.as_str().split('?').next().unwrap();
        let answer = self.send(Method::POST, at, "application/x-www-form-urlencoded", form).await;
        assert_eq!(answer.status(), 303);
        let back: Url = answer.headers()[header::LOCATION].to_str().unwrap().parse().unwrap();
        assert!(back.as_str().starts_with(BACK), "{back}");
        let pair = |wanted: &str| {
            back.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        Browser { token: attempt.browser_token.clone(), state: pair("state"), code: pair("code"), error: pair("error") }
    }

    /// All of it up to the way back.
    pub(crate) async fn back(&self, request: BeginGoogleRequest, who: &Jane) -> Browser {
        let attempt = self.begin(request).await;
        self.visit(&attempt, who).await
    }

    /// All of it.
    pub(crate) async fn sign_in(&self, request: BeginGoogleRequest, who: &Jane) -> GoogleSignIn {
        self.back(request, who).await.finish(self.world.people()).await.unwrap().into_inner()
    }

    /// All of it, which is refused.
    pub(crate) async fn refused(&self, request: BeginGoogleRequest, who: &Jane) -> String {
        code(self.back(request, who).await.finish(self.world.people()).await)
    }

    /// A claim that the provider makes from now on.
    pub(crate) async fn claim(&self, name: &str, value: Value) {
        self.misbehave(json!({ "claims": { name: value } })).await;
    }
}
