//! Calling another service.

use std::time::{Duration, Instant};

use leadflow_kernel::SellerId;
use tonic::{Request, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{
    Channel,
    auth::{AUTHORIZATION, ServiceToken, TENANT, TRACEPARENT},
    replicas,
};

/// A service's address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting} is not a usable address")]
pub struct ChannelError {
    /// The setting to change.
    pub setting: &'static str,
    #[source]
    source: tonic::transport::Error,
}

/// A channel to the service at `urls` (one, or several replicas, comma-separated; a name may stand for several. Calls are spread
/// over those that can be reached). Connects when first used and again whenever it must. Must be
/// called inside the runtime.
///
/// # Errors
/// [`ChannelError`] naming `setting` when an address cannot be read.
pub fn channel(urls: &str, setting: &'static str) -> Result<Channel, ChannelError> {
    let endpoints = urls
        .split(',')
        .map(|url| endpoint(url.trim().to_owned()).map_err(|source| ChannelError { setting, source }))
        .collect::<Result<Vec<_>, ChannelError>>()?;
    Ok(match <[Endpoint; 1]>::try_from(endpoints) {
        Ok([single]) if !replicas::is_name(&single) => Channel::single(single.connect_lazy()),
        Ok([named]) => replicas::channel(vec![named], replicas::system()),
        Err(several) => replicas::channel(several, replicas::system()),
    })
}

/// Less than a readiness check may take.
const ASKED_FOR: Duration = Duration::from_millis(700);

/// Whether the service behind `channel` takes calls, by the standard health service: for readiness checks. Where it has several replicas, one that
/// stops says nothing of the others: it is asked again, and another one answers.
///
/// # Errors
/// In a few words, why not.
pub async fn answers(channel: Channel) -> Result<(), String> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let asked = HealthClient::new(channel.clone()).check(HealthCheckRequest { service: String::new() }).await;
        let why = match asked {
            Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => return Ok(()),
            Ok(_) => "is stopping",
            Err(_) => "cannot be reached",
        };
        if !channel.has_others() || begun.elapsed() + pause > ASKED_FOR {
            return Err(why.to_owned());
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// How every replica is called.
pub(super) fn endpoint(url: String) -> Result<Endpoint, tonic::transport::Error> {
    Ok(Endpoint::from_shared(url)?
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5)))
}

/// What every call of one service carries.
#[derive(Debug, Clone)]
pub struct Caller {
    token: ServiceToken,
}

impl Caller {
    /// Calls with this token.
    #[must_use]
    pub const fn new(token: ServiceToken) -> Self {
        Self { token }
    }

    /// A request about no tenant that is given up after `deadline`.
    pub fn unbound<T>(&self, message: T, deadline: Duration) -> Request<T> {
        self.with(message, deadline, None, None)
    }

    /// A request for `tenant` that is given up after `deadline`.
    pub fn request<T>(&self, message: T, tenant: SellerId, deadline: Duration) -> Request<T> {
        self.traced(message, tenant, deadline, None)
    }

    /// [`Caller::request`] under the trace of the message that caused it.
    pub fn traced<T>(&self, message: T, tenant: SellerId, deadline: Duration, traceparent: Option<&str>) -> Request<T> {
        self.with(message, deadline, Some(tenant), traceparent)
    }

    fn with<T>(
        &self,
        message: T,
        deadline: Duration,
        tenant: Option<SellerId>,
        traceparent: Option<&str>,
    ) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(deadline);
        let metadata = request.metadata_mut();
        for (key, value) in [
            (AUTHORIZATION, Some(self.token.header())),
            (TENANT, tenant.map(|tenant| tenant.to_string())),
            (TRACEPARENT, traceparent.map(str::to_owned)),
        ] {
            if let Some(value) = value.and_then(|text| text.parse().ok()) {
                metadata.insert(key, value);
            }
        }
        request
    }
}
