//! Calls of the services over gRPC, each with a deadline.

use std::time::Duration;

use leadflow_contracts::{
    accounts::{Member, Role, User, accounts_client::AccountsClient, people_client::PeopleClient},
    audit::audit_client::AuditClient,
    billing::{
        billing_client::BillingClient, ledger_client::LedgerClient, payments_client::PaymentsClient,
        usage_client::UsageClient,
    },
    distribution::{
        catalogue_client::CatalogueClient, distribution_client::DistributionClient, privacy_client::PrivacyClient,
        returns_client::ReturnsClient,
    },
    notifier::{
        endpoints_client::EndpointsClient, masking_client::MaskingClient, messages_client::MessagesClient,
        notifier_client::NotifierClient,
    },
};
use leadflow_kernel::SellerId;
use leadflow_platform::{
    audit::ActorRole,
    grpc::{self, Caller, Channel, ChannelError, stable_code},
};
use tokio::time::Instant;
use tonic::{Request, Response, Status, metadata::MetadataValue};

use crate::Config;

/// How long a record that was just made may take to be known in other services.
const PATIENCE: Duration = Duration::from_secs(3);
/// As many times as long as among ourselves may a call take for which somebody outside is asked.
const OUTSIDE: u32 = 4;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Clients of every service. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Services {
    to_accounts: Channel,
    people: PeopleClient<Channel>,
    accounts: AccountsClient<Channel>,
    billing: BillingClient<Channel>,
    usage: UsageClient<Channel>,
    ledger: LedgerClient<Channel>,
    payments: PaymentsClient<Channel>,
    distribution: DistributionClient<Channel>,
    catalogue: CatalogueClient<Channel>,
    returns: ReturnsClient<Channel>,
    privacy: PrivacyClient<Channel>,
    masking: MaskingClient<Channel>,
    notifier: NotifierClient<Channel>,
    messages: MessagesClient<Channel>,
    endpoints: EndpointsClient<Channel>,
    audits: Vec<(&'static str, AuditClient<Channel>)>,
    caller: Caller,
    deadline: Duration,
}

impl Services {
    /// The way to accounts, for a readiness check.
    pub fn accounts_channel(&self) -> Channel {
        self.to_accounts.clone()
    }

    /// Clients that connect when first used.
    ///
    /// # Errors
    /// Naming the setting whose address cannot be used.
    pub fn connect(config: &Config) -> Result<Self, ChannelError> {
        let accounts = grpc::channel(&config.accounts_url, "ACCOUNTS_GRPC_URL")?;
        let distribution = grpc::channel(&config.distribution_url, "DISTRIBUTION_GRPC_URL")?;
        let billing = grpc::channel(&config.billing_url, "BILLING_GRPC_URL")?;
        let notifier = grpc::channel(&config.notifier_url, "NOTIFIER_GRPC_URL")?;
        let audits =
            [("accounts", &accounts), ("distribution", &distribution), ("billing", &billing), ("notifier", &notifier)];
        Ok(Self {
            audits: audits.map(|(service, channel)| (service, AuditClient::new(channel.clone()))).into(),
            to_accounts: accounts.clone(),
            people: PeopleClient::new(accounts.clone()),
            accounts: AccountsClient::new(accounts),
            usage: UsageClient::new(billing.clone()),
            ledger: LedgerClient::new(billing.clone()),
            billing: BillingClient::new(billing.clone()),
            payments: PaymentsClient::new(billing),
            distribution: DistributionClient::new(distribution.clone()),
            returns: ReturnsClient::new(distribution.clone()),
            privacy: PrivacyClient::new(distribution.clone()),
            masking: MaskingClient::new(notifier.clone()),
            catalogue: CatalogueClient::new(distribution),
            messages: MessagesClient::new(notifier.clone()),
            endpoints: EndpointsClient::new(notifier.clone()),
            notifier: NotifierClient::new(notifier),
            caller: Caller::new(config.token.clone()),
            deadline: config.call_timeout,
        })
    }

    /// Who changed what, by service.
    #[must_use]
    pub fn audits(&self) -> Vec<(&'static str, AuditClient<Channel>)> {
        self.audits.clone()
    }

    /// Who signs in.
    #[must_use]
    pub fn people(&self) -> PeopleClient<Channel> {
        self.people.clone()
    }

    /// Sellers, buyers, suppliers, keys.
    #[must_use]
    pub fn accounts(&self) -> AccountsClient<Channel> {
        self.accounts.clone()
    }

    /// Wallets.
    #[must_use]
    pub fn billing(&self) -> BillingClient<Channel> {
        self.billing.clone()
    }

    /// What messages cost.
    #[must_use]
    pub fn usage(&self) -> UsageClient<Channel> {
        self.usage.clone()
    }

    /// Tenants' ledgers as files.
    #[must_use]
    pub fn ledger(&self) -> LedgerClient<Channel> {
        self.ledger.clone()
    }

    /// Cards, and the money that comes from them and goes back.
    #[must_use]
    pub fn payments(&self) -> PaymentsClient<Channel> {
        self.payments.clone()
    }

    /// What is set up, and single leads.
    #[must_use]
    pub fn distribution(&self) -> DistributionClient<Channel> {
        self.distribution.clone()
    }

    /// Lists and sums.
    #[must_use]
    pub fn catalogue(&self) -> CatalogueClient<Channel> {
        self.catalogue.clone()
    }

    /// Sales that are undone.
    #[must_use]
    pub fn returns(&self) -> ReturnsClient<Channel> {
        self.returns.clone()
    }

    /// Webhooks.
    #[must_use]
    pub fn notifier(&self) -> NotifierClient<Channel> {
        self.notifier.clone()
    }

    /// Removing one person's data.
    #[must_use]
    pub fn privacy(&self) -> PrivacyClient<Channel> {
        self.privacy.clone()
    }

    /// What became of that at notifier.
    #[must_use]
    pub fn masking(&self) -> MaskingClient<Channel> {
        self.masking.clone()
    }

    /// What buyers want to be told, and what they were.
    #[must_use]
    pub fn messages(&self) -> MessagesClient<Channel> {
        self.messages.clone()
    }

    /// What is done with several webhooks, and with what was sent to them.
    #[must_use]
    pub fn endpoints(&self) -> EndpointsClient<Channel> {
        self.endpoints.clone()
    }

    /// A request about one tenant.
    pub fn request<T>(&self, tenant: SellerId, message: T) -> Request<T> {
        self.caller.request(message, tenant, self.deadline)
    }

    /// A request about one tenant that `user` makes: for the record of who changed what.
    pub fn request_by<T>(&self, user: &User, tenant: SellerId, message: T) -> Request<T> {
        Self::signed(user, self.request(tenant, message))
    }

    /// Likewise, where somebody outside is asked for it.
    pub fn unhurried_by<T>(&self, user: &User, tenant: SellerId, message: T) -> Request<T> {
        Self::signed(user, self.caller.request(message, tenant, self.deadline * OUTSIDE))
    }

    fn signed<T>(user: &User, mut request: Request<T>) -> Request<T> {
        if let Ok(value) = user.user_id.parse() {
            request.metadata_mut().insert(grpc::ACTOR, value);
        }
        if let Some(role) = actor_role(user) {
            request.metadata_mut().insert(grpc::ACTOR_ROLE, MetadataValue::from_static(role.code()));
        }
        request
    }

    /// A request about no tenant for which somebody outside is asked.
    pub fn unhurried<T>(&self, message: T) -> Request<T> {
        self.caller.unbound(message, self.deadline * OUTSIDE)
    }

    /// A request about no tenant.
    pub fn unbound<T>(&self, message: T) -> Request<T> {
        self.caller.unbound(message, self.deadline)
    }
}

/// What a user is when he acts.
fn actor_role(user: &User) -> Option<ActorRole> {
    match (user.role(), user.member()) {
        (Role::Seller, Member::Owner) => Some(ActorRole::Owner),
        (Role::Seller, Member::Manager) => Some(ActorRole::Manager),
        (Role::Seller, Member::Viewer) => Some(ActorRole::Viewer),
        (Role::Buyer, _) => Some(ActorRole::Buyer),
        (Role::Supplier, _) => Some(ActorRole::Supplier),
        (Role::Admin, _) => Some(ActorRole::Admin),
        (Role::Seller | Role::Unspecified, _) => None,
    }
}

/// Repeats a call for a moment while it is refused with one of `codes`: a record that was just made in one
/// service is heard of by the others a moment later.
///
/// # Errors
/// What the last call said.
pub async fn patiently<T, F>(codes: &[&str], call: impl Fn() -> F) -> Result<Response<T>, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Err(status) if codes.contains(&stable_code(&status)) && Instant::now() < end => {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}
