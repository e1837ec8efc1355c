//! What every request passes before its handler: is it allowed from where it comes, is there allowance
//! left, whose session is it, and may that role do this.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, Method},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::{AdmitRequest, Allowance};
use leadflow_platform::{ApiError, http::RateLimitState};

use super::{
    Api, csrf,
    problem::{Problem, not_yours, signed_out},
    session::{Me, Shown},
    table::Who,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The guard of one route.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) api: Api,
    pub(super) who: Who,
    pub(super) allowance: Option<Allowance>,
}

pub(super) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let Some(allowance) = guard.allowance else { return next.run(request).await };
    let (method, headers) = (request.method().clone(), request.headers());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let address = address(headers, peer, guard.api.trusted_proxies);
    // What a provider tells is its own, whatever else it carries.
    let shown = if guard.who == Who::Provider { Shown::Nothing } else { Shown::of(headers) };
    let mut budget = None;
    let admitted = guard.admit(&method, headers, shown, &address, allowance, &mut budget).await;
    let mut response = match admitted {
        Ok(me) => {
            if let Some(me) = me {
                request.extensions_mut().insert(me);
            }
            request.extensions_mut().insert(Address(address));
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    };
    if let Some(budget) = budget {
        budget.write(response.headers_mut());
    }
    response
}

impl Guard {
    async fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        shown: Shown,
        address: &str,
        allowance: Allowance,
        budget: &mut Option<RateLimitState>,
    ) -> Result<Option<Me>, ApiError> {
        if self.who != Who::Provider {
            csrf::check(method, headers, &shown, &self.api.origins)?;
        }
        let message =
            AdmitRequest { token: shown.token().to_owned(), address: address.to_owned(), allowance: allowance.into() };
        let services = &self.api.services;
        let admission = services.people().admit(services.unbound(message)).await;
        let admission = admission.map_err(|status| Problem::from(status).0)?.into_inner();
        *budget = Some(RateLimitState {
            limit: admission.limit,
            remaining: admission.remaining,
            reset_seconds: admission.reset_seconds.into(),
        });
        if !admission.allowed {
            let wait = admission.reset_seconds.max(1);
            let sentence = format!("too many requests; try again in {wait} s");
            return Err(ApiError::too_many("rate_limited", sentence, wait.into()));
        }
        let me = admission.session.and_then(|session| Me::of(session, shown));
        match (&me, self.who) {
            (_, Who::Public | Who::ApiKey | Who::Provider) => Ok(me),
            (None, _) => Err(signed_out()),
            (Some(signed_in), who) if who.admits(signed_in.role(), signed_in.member()) => Ok(me),
            (Some(_), _) => Err(not_yours()),
        }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(super) struct Address(pub(super) String);

/// The address that the outermost of our own proxies saw; without proxies, who is connected. An IPv6
/// network counts as one address: whoever has one address of it has all.
fn address(headers: &HeaderMap, peer: Option<IpAddr>, trusted_proxies: usize) -> String {
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let told = match trusted_proxies {
        0 => None,
        count => hops.len().checked_sub(count).and_then(|at| hops[at].parse::<IpAddr>().ok()),
    };
    match told.or(peer).map(|address| address.to_canonical()) {
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        Some(IpAddr::V4(v4)) => v4.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_proxies_are_believed() {
        let peer = Some("10.0.0.9".parse().unwrap());
        let with = |value: &str| HeaderMap::from_iter([(FORWARDED_FOR, value.parse().unwrap())]);
        for (header, proxies, wanted) in [
            ("1.1.1.1, 2.2.2.2", 0, "10.0.0.9"),
            ("1.1.1.1, 2.2.2.2", 1, "2.2.2.2"),
            ("1.1.1.1, 2.2.2.2", 2, "1.1.1.1"),
            ("1.1.1.1, 2.2.2.2", 3, "10.0.0.9"),
            ("nonsense", 1, "10.0.0.9"),
            ("2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::"),
            ("::ffff:1.2.3.4", 1, "1.2.3.4"),
        ] {
            assert_eq!(address(&with(header), peer, proxies), wanted, "{header} {proxies}");
        }
        assert_eq!(address(&HeaderMap::new(), None, 0), "unknown");
    }
}
