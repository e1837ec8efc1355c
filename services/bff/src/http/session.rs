//! Sessions as requests show them, and as handlers see them.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use chrono::DateTime;
use leadflow_contracts::accounts::{Member, Role, Session, User};
use leadflow_kernel::{BuyerId, SellerId, SupplierId};
use leadflow_platform::ApiError;

use super::{
    Api,
    problem::{Problem, not_yours, signed_out},
};

/// The session's cookie.
pub const COOKIE: &str = "leadflow_session";
/// Tokens made by accounts are far shorter.
const MAX_TOKEN_BYTES: usize = 256;

/// How a request says whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Not at all.
    Nothing,
    /// `Authorization: Bearer`, which no browser adds by itself.
    Bearer(String),
    /// The cookie, which browsers add to whatever page's requests.
    Cookie(String),
}

impl Shown {
    /// Reads the headers. A bearer token counts before a cookie.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = authorization.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        if let Some(token) = bearer.filter(|token| is_token(token)) {
            return Self::Bearer(token.to_owned());
        }
        cookie_value(headers, COOKIE).map_or(Self::Nothing, |token| Self::Cookie(token.to_owned()))
    }

    /// The token; empty when none was shown.
    #[must_use]
    pub fn token(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }
}

/// The token in a cookie of this name.
pub fn cookie_value<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, token)| *name == wanted && is_token(token))
        .map(|(_, token)| token)
}

fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b';')
}

/// The cookie that keeps `token` until the session ends.
#[must_use]
pub fn cookie(token: &str, expires_at_ms: i64, secure: bool) -> Option<HeaderValue> {
    let expires = DateTime::from_timestamp_millis(expires_at_ms)?.format("%a, %d %b %Y %H:%M:%S GMT");
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Expires={expires}{secure}").parse().ok()
}

/// The cookie that removes it.
#[must_use]
pub fn no_cookie(secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}").parse().ok()
}

/// Whoever is signed in: the guard puts it there for handlers.
#[derive(Debug, Clone)]
pub struct Me {
    /// The session, without its token.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// What was shown.
    pub shown: Shown,
}

impl Me {
    /// The session's user.
    #[must_use]
    pub fn of(mut session: Session, shown: Shown) -> Option<Self> {
        let user = session.user.take()?;
        Some(Self { session, user, shown })
    }

    /// The tenant.
    ///
    /// # Errors
    /// 403 for somebody without one.
    pub fn tenant(&self) -> Result<SellerId, Problem> {
        self.user.seller_id.parse().map_err(|_| Problem(not_yours()))
    }

    /// The buyer who this is.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn buyer(&self) -> Result<BuyerId, Problem> {
        self.user.buyer_id.parse().map_err(|_| Problem(not_yours()))
    }

    /// The supplier who this is.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn supplier(&self) -> Result<SupplierId, Problem> {
        self.user.supplier_id.parse().map_err(|_| Problem(not_yours()))
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.user.role()
    }

    /// What a seller's team member may do.
    #[must_use]
    pub fn member(&self) -> Member {
        self.user.member()
    }
}

impl FromRequestParts<Api> for Me {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(signed_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_bearer_token_counts_before_a_cookie() {
        let cookie = (header::COOKIE, "a=b; leadflow_session=tok; c=d");
        assert_eq!(Shown::of(&headers(std::slice::from_ref(&cookie))), Shown::Cookie("tok".to_owned()));
        let both = headers(&[cookie, (header::AUTHORIZATION, "bearer other")]);
        assert_eq!(Shown::of(&both), Shown::Bearer("other".to_owned()));
        for (name, value) in [
            (header::AUTHORIZATION, "Basic YTpi"),
            (header::AUTHORIZATION, "Bearer "),
            (header::COOKIE, "xleadflow_session=tok"),
            (header::COOKIE, "leadflow_session="),
        ] {
            assert_eq!(Shown::of(&headers(&[(name, value)])), Shown::Nothing, "{value}");
        }
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        assert_eq!(Shown::of(&headers(&[(header::AUTHORIZATION, &long)])), Shown::Nothing);
    }

    #[test]
    fn the_cookie_is_for_http_alone_and_secure_over_tls() {
        let plain = cookie("tok", 1_700_000_000_000, false).unwrap();
        let text = "leadflow_session=tok; Path=/; HttpOnly; SameSite=Lax; Expires=Tue, 14 Nov 2023 22:13:20 GMT";
        assert_eq!(plain, text);
        assert!(cookie("tok", 1, true).unwrap().to_str().unwrap().ends_with("; Secure"));
        assert!(no_cookie(true).unwrap().to_str().unwrap().contains("Max-Age=0"));
    }
}
