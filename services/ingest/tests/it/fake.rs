//! A distribution that decides as the test's leads ask for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use leadflow_contracts::{
    common::{Decision, Money, Outcome},
    distribution as rpc,
    distribution::distribution_server::Distribution,
    events::{Decisions, LeadReceived},
};
use leadflow_messaging::{
    Bus, Message,
    consumer::{BatchHandler, HandleError},
};
use leadflow_platform::grpc;
use prost::Message as _;
use tonic::{Request, Response, Status};

#[derive(Default)]
struct State {
    received: Vec<(LeadReceived, Option<String>)>,
    decided: HashMap<String, (LeadReceived, Decision)>,
    silent: bool,
    down: bool,
}

/// Shared by its consumer and its gRPC service.
#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    bus: Bus,
}

impl Fake {
    pub fn new(bus: Bus) -> Self {
        Self { state: Arc::default(), bus }
    }

    /// Everything that was received, with its trace context.
    pub fn received(&self) -> Vec<(LeadReceived, Option<String>)> {
        self.state.lock().unwrap().received.clone()
    }

    /// Whether it keeps its decisions to itself.
    pub fn set_silent(&self, silent: bool) {
        self.state.lock().unwrap().silent = silent;
    }

    /// Whether its gRPC service fails.
    pub fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    fn decide(&self, lead: LeadReceived, traceparent: Option<String>) -> Option<(String, Decision)> {
        let mut state = self.state.lock().unwrap();
        state.received.push((lead.clone(), traceparent));
        let known = state.decided.get(&lead.lead_id).cloned();
        let decision = match known {
            Some((first, _)) if first.body_hash != lead.body_hash => {
                Decision { lead_id: lead.lead_id.clone(), outcome: Outcome::Conflict.into(), ..Decision::default() }
            }
            Some((_, decision)) => decision,
            None => {
                let decision = decision_on(&lead);
                state.decided.insert(lead.lead_id.clone(), (lead.clone(), decision.clone()));
                decision
            }
        };
        (!state.silent && !lead.reply_subject.is_empty()).then_some((lead.reply_subject, decision))
    }
}

/// By the lead's last name: "Unsold", "Duplicate", anything else is sold to one buyer.
fn decision_on(lead: &LeadReceived) -> Decision {
    let data: serde_json::Value = serde_json::from_slice(&lead.data_json).expect("data is JSON");
    let sold = Money { amount: "25.00".to_owned(), currency: "USD".to_owned() };
    let (outcome, reason, buyers_assigned, price) = match data["lastName"].as_str() {
        Some("Unsold") => (Outcome::Unsold, "no_eligible_buyer", 0, None),
        Some("Duplicate") => (Outcome::Rejected, "duplicate", 0, None),
        _ if lead.test => (Outcome::Test, "", 1, Some(sold)),
        _ => (Outcome::Distributed, "", 1, Some(sold)),
    };
    Decision {
        lead_id: lead.lead_id.clone(),
        outcome: outcome.into(),
        reason: reason.to_owned(),
        buyers_assigned,
        price,
        test: lead.test,
        reference: lead.reference.clone(),
    }
}

#[async_trait]
impl BatchHandler for Fake {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let mut answers: HashMap<String, Vec<Decision>> = HashMap::new();
        for message in batch {
            let lead: LeadReceived = message.decode().map_err(HandleError::permanent)?;
            if let Some((subject, decision)) = self.decide(lead, message.traceparent.clone()) {
                answers.entry(subject).or_default().push(decision);
            }
        }
        for (subject, decisions) in answers {
            let payload = Decisions { decisions }.encode_to_vec().into();
            self.bus.send_core(&subject, payload).await.map_err(HandleError::transient)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Distribution for Fake {
    async fn get_decision(
        &self,
        request: Request<rpc::GetDecisionRequest>,
    ) -> Result<Response<rpc::GetDecisionResponse>, Status> {
        let tenant = grpc::tenant(&request)?.to_string();
        let request = request.into_inner();
        let state = self.state.lock().unwrap();
        if state.down {
            return Err(Status::unavailable("down"));
        }
        let (lead, decision) = state
            .decided
            .get(&request.lead_id)
            .filter(|(lead, _)| lead.seller_id == tenant && lead.supplier_id == request.supplier_id)
            .ok_or_else(|| Status::not_found("no such decision"))?;
        let mut decision = decision.clone();
        if !request.body_hash.is_empty() && request.body_hash != lead.body_hash {
            decision.set_outcome(Outcome::Conflict);
        }
        Ok(Response::new(rpc::GetDecisionResponse { decision: Some(decision) }))
    }

    async fn put_category(&self, _: Request<rpc::PutCategoryRequest>) -> Result<Response<rpc::Category>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn put_campaign(&self, _: Request<rpc::PutCampaignRequest>) -> Result<Response<rpc::Campaign>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn put_subscription(
        &self,
        _: Request<rpc::PutSubscriptionRequest>,
    ) -> Result<Response<rpc::Subscription>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_campaign(&self, _: Request<rpc::GetCampaignRequest>) -> Result<Response<rpc::Campaign>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_lead(&self, _: Request<rpc::GetLeadRequest>) -> Result<Response<rpc::Lead>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn confirm_assignments(
        &self,
        _: Request<rpc::ConfirmAssignmentsRequest>,
    ) -> Result<Response<rpc::ConfirmAssignmentsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}
