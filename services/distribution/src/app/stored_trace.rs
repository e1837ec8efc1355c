//! Traces as they are stored with every lead: the contract's message without the ids of the
//! candidates (two texts each), and their subscriptions as plain bytes in a field of its own.
//! Buyers are looked up when somebody asks.

use std::collections::HashMap;

use leadflow_contracts::common::{CandidateTrace, DecisionTrace, VerdictCount};
use leadflow_distribution_domain::Trace;
use leadflow_kernel::{BuyerId, LeadId, SubscriptionId};
use prost::Message;
use uuid::Uuid;

use super::trace::{logic_to_proto, verdict_to_proto};

/// Bytes of an id.
const WIDTH: usize = 16;

/// What is added to the contract's message. Protobuf messages may be joined end to end; each reader
/// skips the fields that it does not know.
#[derive(Clone, PartialEq, Message)]
struct Subscriptions {
    #[prost(bytes = "vec", tag = "100")]
    ids: Vec<u8>,
}

/// The stored form of a trace.
pub fn encode(trace: &Trace) -> Vec<u8> {
    let message = DecisionTrace {
        logic: logic_to_proto(trace.logic).into(),
        candidates: trace
            .candidates
            .iter()
            .map(|one| CandidateTrace {
                verdict: verdict_to_proto(one.verdict),
                rank: one.rank,
                ..CandidateTrace::default()
            })
            .collect(),
        others: trace
            .others
            .iter()
            .map(|(verdict, count)| VerdictCount { verdict: verdict_to_proto(*verdict), count: *count })
            .collect(),
        hold_rounds: trace.hold_rounds,
        ..DecisionTrace::default()
    };
    let ids = trace.candidates.iter().flat_map(|one| *one.subscription.as_bytes()).collect();
    let mut bytes = message.encode_to_vec();
    bytes.extend(Subscriptions { ids }.encode_to_vec());
    bytes
}

/// The stored form of "it repeats `lead`, by `field`".
pub fn encode_duplicate(lead: LeadId, field: &str) -> Vec<u8> {
    DecisionTrace { duplicate_of: lead.to_string(), duplicate_field: field.to_owned(), ..DecisionTrace::default() }
        .encode_to_vec()
}

/// A trace that was read back.
#[derive(Debug)]
pub struct Stored {
    trace: DecisionTrace,
    subscriptions: Vec<SubscriptionId>,
}

impl Stored {
    /// Reads what [`encode`] or [`encode_duplicate`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        let subscriptions = Subscriptions::decode(bytes)?
            .ids
            .chunks_exact(WIDTH)
            .filter_map(|bytes| Uuid::from_slice(bytes).ok())
            .map(SubscriptionId::from)
            .collect();
        Ok(Self { trace: DecisionTrace::decode(bytes)?, subscriptions })
    }

    /// The subscriptions that are described one by one.
    pub fn subscriptions(&self) -> &[SubscriptionId] {
        &self.subscriptions
    }

    /// The whole message, given each subscription's buyer.
    pub fn complete(mut self, buyers: &HashMap<SubscriptionId, BuyerId>) -> DecisionTrace {
        for (candidate, subscription) in self.trace.candidates.iter_mut().zip(&self.subscriptions) {
            candidate.subscription_id = subscription.to_string();
            candidate.buyer_id = buyers.get(subscription).map(ToString::to_string).unwrap_or_default();
        }
        self.trace
    }
}

#[cfg(test)]
mod tests {
    use leadflow_distribution_domain::{CandidateTrace, Logic, Verdict};

    use super::*;
    use crate::app::trace::trace_from_proto;

    #[test]
    fn a_trace_reads_back_as_it_was() {
        let line = |verdict, rank| CandidateTrace {
            subscription: SubscriptionId::new(),
            buyer: BuyerId::new(),
            verdict,
            rank,
        };
        let trace = Trace {
            logic: Logic::Waterfall,
            candidates: vec![line(Verdict::Chosen, 1), line(Verdict::BillingUnavailable, 0)],
            others: vec![(Verdict::Outranked, 70_000)],
            hold_rounds: 3,
        };
        let buyers = trace.candidates.iter().map(|one| (one.subscription, one.buyer)).collect();
        let bytes = encode(&trace);
        assert!(bytes.len() < 70, "{}", bytes.len());
        let stored = Stored::decode(&bytes).unwrap();
        assert_eq!(stored.subscriptions().len(), 2);
        assert_eq!(trace_from_proto(&stored.complete(&buyers)), Some(trace));
    }

    #[test]
    fn a_duplicate_reads_back_and_nothing_is_nothing() {
        let lead = LeadId::new();
        let back = Stored::decode(&encode_duplicate(lead, "email")).unwrap().complete(&HashMap::new());
        assert_eq!((back.duplicate_of.as_str(), back.duplicate_field.as_str()), (lead.to_string().as_str(), "email"));
        assert_eq!(trace_from_proto(&back), None);
        assert_eq!(Stored::decode(&[]).unwrap().complete(&HashMap::new()), DecisionTrace::default());
    }
}
