//! Whether every post got the answer that it had to get, what the answers claim, and what the books are held against.

use std::collections::HashMap;

use ::http::Method;
use anyhow::Context as _;
use bytes::Bytes;
use leadflow_kernel::LeadId;
use leadflow_testkit::books::{Answer, Answered, StripeRecord};
use rust_decimal::Decimal;

use super::{
    post::Outcome,
    script::{Expect, Post},
};
use crate::seed::Market;

/// Sentences about answers that are not what they had to be.
pub fn surprises(posts: &[Post], outcomes: &[Outcome], first: &[Outcome]) -> Vec<String> {
    let mut surprises = Vec::new();
    for (post, outcome) in posts.iter().zip(outcomes) {
        let accepted = matches!(outcome.status, 200..=299) && !outcome.text("leadId").is_empty();
        let fine = match post.expect {
            Expect::Accepted => accepted,
            Expect::SameAs(place) => {
                accepted && first.get(place).is_some_and(|before| before.text("leadId") == outcome.text("leadId"))
            }
            Expect::Refused(status, code) => outcome.status == status && outcome.text("code") == code,
        };
        if !fine {
            surprises.push(format!("expected {:?}, got {} {}", post.expect, outcome.status, outcome.body));
        }
    }
    surprises
}

/// What was said of each lead with a 2xx; of a lead that was answered more than once, the last.
pub fn claims<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> Vec<Answer> {
    let mut claims: HashMap<LeadId, Answered> = HashMap::new();
    for outcome in outcomes {
        if !matches!(outcome.status, 200..=299) {
            continue;
        }
        let Ok(lead_id) = outcome.text("leadId").parse() else { continue };
        claims.insert(lead_id, claim(outcome));
    }
    claims.into_iter().map(|(lead_id, answered)| Answer { lead_id, answered }).collect()
}

fn claim(outcome: &Outcome) -> Answered {
    let sold = outcome.body["distributed"].as_bool() == Some(true);
    match outcome.text("outcome") {
        "accepted" if sold && outcome.body["test"].as_bool() == Some(true) => Answered::Test,
        "accepted" if sold => Answered::Distributed {
            buyers: outcome.body["buyersAssigned"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            price: price(&outcome.body["price"]),
        },
        "accepted" => Answered::Unsold,
        "rejected" => Answered::Rejected { reason: outcome.text("reason").to_owned() },
        _ => Answered::Pending,
    }
}

/// What moved at Stripe; `None` where that is not the sandbox's, which alone tells it.
pub async fn stripe_record(market: &Market, api: Option<&str>) -> anyhow::Result<Option<StripeRecord>> {
    let sandbox = &market.places.sandbox;
    let stand_in = leadflow_sandbox::stripe_api(sandbox);
    if api.map(|api| api.trim_end_matches('/')) != Some(stand_in.trim_end_matches('/')) {
        return Ok(None);
    }
    let url = format!("{sandbox}/api/stripe/record");
    let answer = market.http.send_json(Method::GET, &url, &[], Bytes::new()).await.context("ask the sandbox")?;
    anyhow::ensure!(answer.status.is_success(), "{url} answered {}", answer.status);
    serde_json::from_slice(&answer.body).with_context(|| format!("read {url}")).map(Some)
}

/// What of Stripe's the books are compared with, in a sentence.
pub fn compared(stripe: Option<&StripeRecord>) -> String {
    match stripe {
        Some(StripeRecord { charges, refunds, disputes }) => format!(
            "  Compared with what Stripe's stand-in has: {} charges, {} refunds, {} disputes.",
            charges.len(),
            refunds.len(),
            disputes.len()
        ),
        None => "  Not compared with Stripe's side: cards are not charged at the sandbox here.".to_owned(),
    }
}

// A JSON number of dollars; its text is exact up to two decimals.
fn price(value: &serde_json::Value) -> Decimal {
    value.to_string().parse().unwrap_or_default()
}
