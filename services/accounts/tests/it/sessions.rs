//! How sessions go on, and how they end.

use leadflow_contracts::accounts::{CheckSessionsRequest, ListSessionsRequest, LogOutRequest, RevokeSessionsRequest};
use leadflow_kernel::{SessionId, UserId};

use crate::{
    someone::PASSWORD,
    world::{World, code, ms, unbound},
};

const DAY: i64 = 86_400;

#[tokio::test]
async fn an_unused_session_ends_and_a_used_one_goes_on_until_its_bound() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let (used, unused) = (world.session("sam@example.com").await, world.session("sam@example.com").await);
    for day in 1..=29 {
        world.advance(DAY);
        let known = world.whose(&used.token).await.unwrap_or_else(|| panic!("day {day}"));
        assert!(known.expires_at_ms <= used.created_at_ms + 30 * DAY * 1_000);
        assert!(known.expires_at_ms - ms(leadflow_kernel::Clock::now(&world.clock)) > 0);
    }
    assert_eq!(world.whose(&unused.token).await, None);
    world.advance(DAY);
    assert_eq!(world.whose(&used.token).await, None);
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let (one, other) = (world.session("sam@example.com").await, world.session("sam@example.com").await);
    for _ in 0..2 {
        world.people().log_out(unbound(LogOutRequest { token: one.token.clone() })).await.unwrap();
        assert_eq!(world.whose(&one.token).await, None);
    }
    assert!(world.whose(&other.token).await.is_some());
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_at_once_at_every_replica() {
    let world = World::start().await;
    let user = world.registered_seller("sam@example.com").await.user.unwrap();
    let other = world.registered_seller("other@example.com").await.user.unwrap();
    let mut replica = world.people_of_a_replica().await;
    let mut mine = Vec::new();
    for _ in 0..3 {
        world.advance(60);
        mine.push(world.session("sam@example.com").await);
    }
    let theirs = world.session("other@example.com").await;
    let list = async || {
        let request = ListSessionsRequest { user_id: user.user_id.clone() };
        let listed = world.people().list_sessions(unbound(request)).await.unwrap().into_inner().sessions;
        listed.into_iter().map(|session| session.session_id).collect::<Vec<_>>()
    };
    assert_eq!(list().await, [&mine[2], &mine[1], &mine[0]].map(|s| s.session_id.clone()));

    let revoke = |user_id: &str, session: &str, keep: &str| {
        unbound(RevokeSessionsRequest {
            user_id: user_id.into(),
            session_id: session.into(),
            keep_session_id: keep.into(),
        })
    };
    // Nobody ends another's, nor learns of it.
    for wrong in [&theirs.session_id, &SessionId::new().to_string()] {
        assert_eq!(code(replica.revoke_sessions(revoke(&user.user_id, wrong, "")).await), "session_not_found");
    }
    let stranger = UserId::new().to_string();
    assert_eq!(code(replica.revoke_sessions(revoke(&stranger, "", "")).await), "user_not_found");
    replica.revoke_sessions(revoke(&user.user_id, &mine[0].session_id, "")).await.unwrap();
    assert_eq!(world.whose(&mine[0].token).await, None);
    let all_others = revoke(&user.user_id, "", &mine[1].session_id);
    assert_eq!(replica.revoke_sessions(all_others).await.unwrap().into_inner().revoked, 1);
    assert_eq!(list().await, [mine[1].session_id.clone()]);
    assert_eq!(world.whose(&mine[2].token).await, None);
    assert!(world.whose(&mine[1].token).await.is_some());
    assert_eq!(world.whose(&theirs.token).await.unwrap().user.unwrap(), other);
}

#[tokio::test]
async fn nobody_has_more_than_fifty_and_what_has_ended_is_forgotten() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let first = world.session("sam@example.com").await;
    for _ in 0..50 {
        world.advance(1);
        world.log_in("sam@example.com", PASSWORD).await.unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts.sessions").await, 50);
    assert_eq!(world.whose(&first.token).await, None);
    world.advance(8 * DAY);
    let deleted = leadflow_accounts::workers::cleanup::step(world.db.pool(), &world.clock).await.unwrap();
    // The sessions, the mailed token, and who was counted.
    assert!(deleted >= 52, "{deleted}");
    assert_eq!(world.count("SELECT count(*) FROM accounts.sessions").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM accounts.one_time_tokens").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM accounts.allowances").await, 0);
}

#[tokio::test]
async fn sessions_are_checked_without_being_used() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    let (kept, ended) = (world.session("sam@example.com").await, world.session("sam@example.com").await);
    let unknown = SessionId::new().to_string();
    let check = async || {
        let session_ids = vec![kept.session_id.clone(), ended.session_id.clone(), unknown.clone()];
        let request = unbound(CheckSessionsRequest { session_ids });
        let mut good = world.people().check_sessions(request).await.unwrap().into_inner().good_session_ids;
        good.sort();
        good
    };
    let mut both = vec![kept.session_id.clone(), ended.session_id.clone()];
    both.sort();
    assert_eq!(check().await, both);
    world.people().log_out(unbound(LogOutRequest { token: ended.token.clone() })).await.unwrap();
    assert_eq!(check().await, std::slice::from_ref(&kept.session_id));
    // Being asked about keeps nobody signed in.
    for _ in 0..30 {
        world.advance(DAY);
        check().await;
    }
    assert!(check().await.is_empty());
    let request = unbound(CheckSessionsRequest { session_ids: vec![unknown.clone(); 501] });
    assert_eq!(code(world.people().check_sessions(request).await), "invalid_field");
}
