//! What distribution is asked, and how its answer is read.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use leadflow_billing::outbound::assignments::{Assignments as _, Distribution};
use leadflow_contracts::distribution::{
    Campaign, Category, ConfirmAssignmentsRequest, ConfirmAssignmentsResponse, GetCampaignRequest, GetDecisionRequest,
    GetDecisionResponse, GetLeadRequest, Lead, PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest,
    Subscription,
    distribution_server::{self, DistributionServer},
};
use leadflow_kernel::{AssignmentId, CampaignId, SellerId};
use leadflow_platform::{
    Shutdown,
    grpc::{self, Caller, ServiceToken},
};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use crate::support::set;

const TOKEN: &str = "the services' secret";

type Asked = Arc<Mutex<Vec<(SellerId, ConfirmAssignmentsRequest)>>>;

/// Answers every question with the same ids.
struct Fake {
    asked: Asked,
    known: Vec<String>,
}

fn not_asked<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("billing never asks this"))
}

#[tonic::async_trait]
impl distribution_server::Distribution for Fake {
    async fn confirm_assignments(
        &self,
        request: Request<ConfirmAssignmentsRequest>,
    ) -> Result<Response<ConfirmAssignmentsResponse>, Status> {
        let tenant = grpc::tenant(&request)?;
        self.asked.lock().unwrap().push((tenant, request.into_inner()));
        Ok(Response::new(ConfirmAssignmentsResponse { known_assignment_ids: self.known.clone() }))
    }
    async fn put_category(&self, _: Request<PutCategoryRequest>) -> Result<Response<Category>, Status> {
        not_asked()
    }
    async fn put_campaign(&self, _: Request<PutCampaignRequest>) -> Result<Response<Campaign>, Status> {
        not_asked()
    }
    async fn put_subscription(&self, _: Request<PutSubscriptionRequest>) -> Result<Response<Subscription>, Status> {
        not_asked()
    }
    async fn get_campaign(&self, _: Request<GetCampaignRequest>) -> Result<Response<Campaign>, Status> {
        not_asked()
    }
    async fn get_decision(&self, _: Request<GetDecisionRequest>) -> Result<Response<GetDecisionResponse>, Status> {
        not_asked()
    }
    async fn get_lead(&self, _: Request<GetLeadRequest>) -> Result<Response<Lead>, Status> {
        not_asked()
    }
}

async fn distribution(known: Vec<String>) -> (String, Asked, Shutdown) {
    let asked = Asked::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut routes = grpc::builder().unwrap();
    let fake = Fake { asked: asked.clone(), known };
    routes.add_service(DistributionServer::with_interceptor(fake, grpc::guard(&ServiceToken::new(TOKEN))));
    let stop = Shutdown::new();
    tokio::spawn(grpc::serve(listener, routes, stop.clone()));
    (url, asked, stop)
}

fn client(url: &str) -> Distribution {
    let channel = grpc::channel(url, "DISTRIBUTION_GRPC_URL").unwrap();
    Distribution::new(channel, Caller::new(ServiceToken::new(TOKEN)))
}

#[tokio::test]
async fn distribution_is_asked_in_the_tenants_name_about_assignments_and_their_campaigns() {
    let (seller, campaign) = (SellerId::new(), CampaignId::new());
    let (known, unknown) = (AssignmentId::new(), AssignmentId::new());
    let (url, asked, stop) = distribution(vec![known.to_string()]).await;
    let answer = client(&url).known(seller, &[(known, campaign), (unknown, campaign)]).await.unwrap();
    assert_eq!(answer, set([known]));
    let asked = asked.lock().unwrap().clone();
    let [(tenant, request)] = &asked[..] else { panic!("one question") };
    assert_eq!(*tenant, seller);
    let refs: Vec<_> = request.assignments.iter().map(|r| (r.assignment_id.clone(), r.campaign_id.clone())).collect();
    assert_eq!(refs, [known, unknown].map(|id| (id.to_string(), campaign.to_string())));
    stop.cancel();
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_or_does_not_come_is_an_error_and_never_nothing_known() {
    let asked = [(AssignmentId::new(), CampaignId::new())];
    let (url, _, stop) = distribution(vec!["asg_garbage".to_owned()]).await;
    assert!(client(&url).known(SellerId::new(), &asked).await.is_err());
    stop.cancel();
    // Nobody listens here.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = client(&format!("http://{closed}"));
    let answer = tokio::time::timeout(Duration::from_secs(15), away.known(SellerId::new(), &asked)).await;
    assert!(answer.expect("in time").is_err());
}
