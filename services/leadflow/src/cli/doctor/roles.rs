//! The services: whether each is ready, and whether it takes calls with the token that is set.

use leadflow_contracts::{
    accounts::{ListBuyersRequest, accounts_client::AccountsClient},
    billing::{GetWalletRequest, billing_client::BillingClient},
    distribution::{GetLeadRequest, distribution_client::DistributionClient},
    notifier::{GetEndpointRequest, notifier_client::NotifierClient},
};
use leadflow_kernel::SellerId;
use leadflow_platform::{
    grpc::{self, Caller, Channel},
    settings,
};
use tonic::{Code, Status};

use super::{Check, Known, PATIENCE};
use crate::{
    local::{
        environment,
        probe::{self, Readiness},
    },
    role::{Ports, Role},
};

const TOKEN: &str = "SERVICE_TOKEN";

pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let caller = Caller::new(settings::service_token(&mut env));
    if let Err(error) = env.finish() {
        let mend = "set it as the services have it; make up makes one up";
        checks.extend(error.problems.iter().map(|problem| Check::bad(TOKEN, problem, mend)));
    }
    let (mut asked, mut refused) = (0, Vec::new());
    for (role, ports) in &known.settings.roles {
        let readiness = probe::readiness(ports.http).await;
        if readiness != Readiness::Silent
            && let Some(answer) = ask(*role, *ports, &caller).await
        {
            asked += 1;
            if answer == Code::Unauthenticated {
                refused.push(role.name());
            }
        }
        checks.push(readiness_check(known, *role, *ports, readiness));
    }
    if !refused.is_empty() {
        let found = format!("is not the one that {} runs with", refused.join(", "));
        checks.push(Check::bad(TOKEN, found, "give every service the same SERVICE_TOKEN, then make up"));
    } else if asked > 0 {
        checks.push(Check::good(TOKEN, "accepted by every service that was asked"));
    }
}

fn readiness_check(known: &Known, role: Role, ports: Ports, readiness: Readiness) -> Check {
    let log = known.layout.log(role.name());
    match readiness {
        Readiness::Ready => Check::good(role.name(), format!("ready on port {}", ports.http)),
        Readiness::NotReady(why) => {
            let mend = format!("mend that first, it then goes on by itself; else see {}", log.display());
            Check::bad(role.name(), format!("is not ready: {why}"), mend)
        }
        Readiness::Silent => Check::bad(
            role.name(),
            format!("does not answer on port {} ({})", ports.http, role.http().name),
            format!("make up starts it; if it ends again, see {}", log.display()),
        ),
    }
}

/// Asks the role for something that does not exist, and gives the code of its answer; `None` if it has no
/// gRPC or does not answer.
async fn ask(role: Role, ports: Ports, caller: &Caller) -> Option<Code> {
    let channel: Channel = grpc::channel(&format!("http://127.0.0.1:{}", ports.grpc?), TOKEN).ok()?;
    let nobody = SellerId::new();
    let answer = match role {
        Role::Accounts => {
            let request = caller.request(ListBuyersRequest::default(), nobody, PATIENCE);
            code(AccountsClient::new(channel).list_buyers(request).await)
        }
        Role::Billing => {
            let request = caller.request(GetWalletRequest::default(), nobody, PATIENCE);
            code(BillingClient::new(channel).get_wallet(request).await)
        }
        Role::Distribution => {
            let request = caller.request(GetLeadRequest::default(), nobody, PATIENCE);
            code(DistributionClient::new(channel).get_lead(request).await)
        }
        Role::Notifier => {
            let request = caller.request(GetEndpointRequest::default(), nobody, PATIENCE);
            code(NotifierClient::new(channel).get_endpoint(request).await)
        }
        Role::Ingest | Role::Bff | Role::Sandbox => return None,
    };
    (!matches!(answer, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)).then_some(answer)
}

fn code<T>(answer: Result<T, Status>) -> Code {
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}
