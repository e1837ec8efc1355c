//! The posts of a run, always the same for one seed: mostly good leads, and everything that goes wrong
//! with leads in real life.

use std::fmt::Write as _;

use bytes::Bytes;
use leadflow_kernel::{CampaignId, EventId};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};

use super::people::{Person, person};

/// One post.
#[derive(Debug, Clone)]
pub struct Post {
    /// What the supplier sends.
    pub body: Bytes,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// Whether it would rather not wait.
    pub respond_async: bool,
    /// Whether it shows a key that nobody has.
    pub wrong_key: bool,
    /// What must come back.
    pub expect: Expect,
}

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Any 2xx: which buyer is the system's business.
    Accepted,
    /// A 2xx about the same lead as the post at this place got.
    SameAs(usize),
    /// This status and code.
    Refused(u16, &'static str),
}

/// Two waves of posts: the second repeats what the first has had answered.
pub struct Script {
    /// Posts that may come in any order.
    pub first: Vec<Post>,
    /// Posts that come after them. [`Expect::SameAs`] refers to the first wave.
    pub second: Vec<Post>,
}

/// Of every hundred posts of the first wave.
const INVALID: u32 = 4;
const SAME_PERSON: u32 = 5;
const TEST: u32 = 2;
const ASYNC: u32 = 5;
/// Posts of the second wave, of every hundred in all.
const SECOND: usize = 5;

/// `count` posts to these campaigns.
#[must_use]
pub fn script(seed: u64, count: usize, campaigns: &[CampaignId]) -> Script {
    let mut rng = StdRng::seed_from_u64(seed);
    let second = count * SECOND / 100;
    let mut first: Vec<Post> = Vec::with_capacity(count - second);
    let mut people: Vec<(CampaignId, Person)> = Vec::new();
    for number in 0..count - second {
        let campaign = campaigns.choose(&mut rng).copied().unwrap_or_default();
        let kind = rng.random_range(0..100);
        if kind < INVALID {
            let someone = person(&mut rng, number);
            first.push(invalid(&mut rng, campaign, &someone));
            continue;
        }
        if kind < INVALID + SAME_PERSON
            && let Some((campaign, someone)) = people.choose(&mut rng)
        {
            // Another supplier's form, filled in again: an own post about somebody already known.
            first.push(post(&mut rng, *campaign, someone));
            continue;
        }
        let someone = person(&mut rng, number);
        let mut post = post(&mut rng, campaign, &someone);
        if kind < INVALID + SAME_PERSON + TEST {
            post.body = with(&post.body, "test", json!(true));
        } else {
            post.respond_async = kind < INVALID + SAME_PERSON + TEST + ASYNC;
            people.push((campaign, someone));
        }
        first.push(post);
    }
    let second = (0..second).map(|number| repeat(&mut rng, &first, number)).collect();
    Script { first, second }
}

fn post(rng: &mut StdRng, campaign: CampaignId, person: &Person) -> Post {
    let mut body = json!({ "campaignId": campaign, "data": person.data });
    if let Some(state) = &person.state {
        body["state"] = json!(state);
    }
    if let Some(quality) = ["HOT", "WARM", "COLD"].choose(rng).filter(|_| rng.random_bool(0.8)) {
        body["quality"] = json!(quality);
    }
    // A reference in the body makes a repeat as safe as the header does.
    let reference = rng.random_bool(0.3);
    if reference {
        body["reference"] = json!(unique());
    }
    Post {
        body: Bytes::from(body.to_string()),
        idempotency_key: (!reference).then(unique),
        respond_async: false,
        wrong_key: false,
        expect: Expect::Accepted,
    }
}

fn invalid(rng: &mut StdRng, campaign: CampaignId, person: &Person) -> Post {
    const VALIDATION: Expect = Expect::Refused(422, "validation_failed");
    let mut post = post(rng, campaign, person);
    let data = |name: &str, value: Value| {
        let mut data = person.data.clone();
        data[name] = value;
        data
    };
    let without = |name: &str| {
        let mut data = person.data.clone();
        if let Some(fields) = data.as_object_mut() {
            fields.remove(name);
        }
        data
    };
    let (body, expect) = match rng.random_range(0..10) {
        0 => (with(&post.body, "data", data("email", json!("mary at example"))), VALIDATION),
        1 => (with(&post.body, "data", data("age", json!("sixty-five"))), VALIDATION),
        2 => (with(&post.body, "data", data("phone", json!("12"))), VALIDATION),
        3 => (with(&post.body, "data", data("coverage", json!("Plan Z"))), VALIDATION),
        4 => (with(&post.body, "data", without("lastName")), VALIDATION),
        5 => (with(&post.body, "data", json!(["not", "an", "object"])), VALIDATION),
        6 => (with(&post.body, "state", json!("Atlantis")), VALIDATION),
        7 => (post.body.slice(..post.body.len() / 2), Expect::Refused(400, "malformed_json")),
        8 => (with(&post.body, "campaignId", json!(CampaignId::new())), Expect::Refused(404, "campaign_unknown")),
        _ => {
            post.wrong_key = true;
            (post.body.clone(), Expect::Refused(401, "api_key_invalid"))
        }
    };
    (post.body, post.expect) = (body, expect);
    post
}

/// A supplier that did not hear the answer and sends again, rightly or with another body.
fn repeat(rng: &mut StdRng, first: &[Post], number: usize) -> Post {
    let keyed = |post: &Post| post.expect == Expect::Accepted && post.idempotency_key.is_some();
    let candidates: Vec<usize> = (0..first.len()).filter(|&place| keyed(&first[place])).collect();
    let Some(&place) = candidates.choose(rng) else {
        return Post { expect: Expect::Accepted, ..first[0].clone() };
    };
    let mut post = Post { respond_async: false, ..first[place].clone() };
    if number.is_multiple_of(5) {
        post.body = with(&post.body, "quality", json!("COLD"));
        post.body = with(&post.body, "reference", json!(unique()));
        post.expect = Expect::Refused(409, "idempotency_key_reused");
    } else {
        post.expect = Expect::SameAs(place);
    }
    post
}

fn with(body: &Bytes, name: &str, value: Value) -> Bytes {
    let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
    body[name] = value;
    Bytes::from(body.to_string())
}

/// Unique over all runs, as keys of a supplier must be.
fn unique() -> String {
    let mut text = String::from("demo-");
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", EventId::new().uuid().simple());
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn campaigns() -> [CampaignId; 4] {
        std::array::from_fn(|n| CampaignId::derive(&[&[n as u8]]))
    }

    #[test]
    fn a_run_has_everything_in_it() {
        let script = script(65, 2_000, &campaigns());
        assert_eq!((script.first.len(), script.second.len()), (1_900, 100));
        let mut kinds: HashMap<String, usize> = HashMap::new();
        for post in script.first.iter().chain(&script.second) {
            let kind = match post.expect {
                Expect::SameAs(_) => "repeat".to_owned(),
                Expect::Accepted if post.respond_async => "async".to_owned(),
                Expect::Accepted => "accepted".to_owned(),
                Expect::Refused(status, code) => format!("{status} {code}"),
            };
            *kinds.entry(kind).or_default() += 1;
        }
        for kind in [
            "accepted",
            "async",
            "repeat",
            "400 malformed_json",
            "401 api_key_invalid",
            "404 campaign_unknown",
            "409 idempotency_key_reused",
            "422 validation_failed",
        ] {
            assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
        }
        assert!(kinds["accepted"] > 1_500, "{kinds:?}");
    }

    #[test]
    fn people_are_different_except_for_those_who_are_meant_to_be_known() {
        let script = script(65, 2_000, &campaigns());
        let mut emails: HashMap<String, usize> = HashMap::new();
        for post in script.first.iter().filter(|post| post.expect == Expect::Accepted) {
            let body: Value = serde_json::from_slice(&post.body).unwrap();
            *emails.entry(body["data"]["email"].to_string()).or_default() += 1;
        }
        let known_before: usize = emails.values().map(|times| times - 1).sum();
        assert!((60..=160).contains(&known_before), "{known_before}");
    }

    #[test]
    fn repeats_have_the_key_and_conflicts_another_body() {
        let script = script(65, 2_000, &campaigns());
        for post in &script.second {
            match post.expect {
                Expect::SameAs(place) => {
                    assert_eq!(post.body, script.first[place].body);
                    assert_eq!(post.idempotency_key, script.first[place].idempotency_key);
                }
                _ => {
                    let same_key = |before: &&Post| before.idempotency_key == post.idempotency_key;
                    let before = script.first.iter().find(same_key).unwrap();
                    assert!(before.idempotency_key.is_some() && before.body != post.body);
                }
            }
        }
    }

    #[test]
    fn small_runs_work_too() {
        let script = script(1, 20, &campaigns());
        assert_eq!(script.first.len() + script.second.len(), 20);
    }
}
