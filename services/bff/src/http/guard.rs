//! What every request passes before its handler: is it allowed from where it comes, is there allowance
//! left, whose session is it, and may that role do this.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::accounts::{AdmitRequest, Allowance};
use leadflow_platform::{
    ApiError,
    http::{RateLimitState, caller_address},
};

use super::{
    Api, csrf,
    problem::{Problem, not_yours, signed_out},
    session::{Me, Shown},
    table::Who,
};

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
    let address = caller_address(headers, peer, guard.api.trusted_proxies);
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
