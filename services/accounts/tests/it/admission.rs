//! What every request passes first.

use leadflow_accounts::app::people::PeopleRules;
use leadflow_contracts::accounts::{Admission, AdmitRequest, Allowance};

use crate::world::{World, code, unbound};

async fn admit(world: &World, token: &str, address: &str, allowance: Allowance) -> Admission {
    let request = AdmitRequest { token: token.into(), address: address.into(), allowance: allowance.into() };
    world.people().admit(unbound(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn permits_are_counted_by_user_or_else_by_address() {
    let world = World::with_rules(PeopleRules { reads: 3, writes: 2, ..PeopleRules::default() }).await;
    world.registered_seller("sam@example.com").await;
    world.registered_seller("sue@example.com").await;
    let (sam, sue) = (world.session("sam@example.com").await.token, world.session("sue@example.com").await.token);
    for remaining in [2, 1, 0] {
        let admission = admit(&world, &sam, "192.0.2.1", Allowance::Read).await;
        assert_eq!((admission.allowed, admission.limit, admission.remaining), (true, 3, remaining));
        assert!(admission.session.is_some());
    }
    let refused = admit(&world, &sam, "192.0.2.2", Allowance::Read).await;
    assert_eq!((refused.allowed, refused.remaining, refused.reset_seconds), (false, 0, 20));
    // Who is refused is still known, another kind is counted apart, and so is another user at the same address.
    assert!(refused.session.is_some());
    assert!(admit(&world, &sam, "192.0.2.1", Allowance::Write).await.allowed);
    assert!(admit(&world, &sue, "192.0.2.1", Allowance::Read).await.allowed);
    // Tokens that are not good do not open an allowance of their own.
    for number in 0..3 {
        let admission = admit(&world, &format!("made up {number}"), "192.0.2.1", Allowance::Read).await;
        assert_eq!((admission.allowed, admission.session), (true, None));
    }
    assert!(!admit(&world, "made up again", "192.0.2.1", Allowance::Read).await.allowed);
    assert!(admit(&world, "", "192.0.2.3", Allowance::Read).await.allowed);
    // One comes back after a third of the minute.
    world.advance(20);
    assert!(admit(&world, &sam, "192.0.2.1", Allowance::Read).await.allowed);
    assert!(!admit(&world, &sam, "192.0.2.1", Allowance::Read).await.allowed);
}

#[tokio::test]
async fn a_payment_providers_webhooks_have_an_allowance_of_their_own() {
    let world = World::with_rules(PeopleRules { writes: 1, provider_events: 2, ..PeopleRules::default() }).await;
    assert!(admit(&world, "", "192.0.2.1", Allowance::Write).await.allowed);
    assert!(!admit(&world, "", "192.0.2.1", Allowance::Write).await.allowed);
    for remaining in [1, 0] {
        let admission = admit(&world, "", "192.0.2.1", Allowance::ProviderEvent).await;
        assert_eq!((admission.allowed, admission.limit, admission.remaining), (true, 2, remaining));
    }
    assert!(!admit(&world, "", "192.0.2.1", Allowance::ProviderEvent).await.allowed);
    assert!(admit(&world, "", "192.0.2.2", Allowance::ProviderEvent).await.allowed);
}

#[tokio::test]
async fn a_use_is_noted_now_and_then() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let session = world.session("sam@example.com").await;
    world.advance(60);
    assert_eq!(world.whose(&session.token).await.unwrap().last_used_at_ms, session.last_used_at_ms);
    world.advance(240);
    assert_eq!(world.whose(&session.token).await.unwrap().last_used_at_ms, session.last_used_at_ms + 300_000);
    assert_eq!(world.count("SELECT count(*) FROM accounts.sessions WHERE last_used_at > created_at").await, 1);
}

#[tokio::test]
async fn a_kind_that_nobody_knows_is_refused() {
    let world = World::start().await;
    let request = AdmitRequest { token: String::new(), address: "192.0.2.1".into(), allowance: 9 };
    assert_eq!(code(world.people().admit(unbound(request)).await), "invalid_field");
}
