//! What buyers want to be told.

use futures::future::join_all;
use leadflow_contracts::notifier::{
    CallbackSource, GetPreferencesRequest, Preferences, PutPreferencesRequest, TakeCallbackRequest, UnsubscribeRequest,
    messages_client::MessagesClient,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use leadflow_notifier::{Topic, UnsubscribeTokens};
use leadflow_platform::{
    audit::{ActorRole, Trail},
    grpc::{ACTOR, ACTOR_ROLE, Caller, Channel, ServiceToken, channel},
};
use serde_json::json;
use tonic::Request;

use crate::world::{PATIENCE, TOKEN, World, call_as, code};

pub fn messages(world: &World, replica: usize) -> MessagesClient<Channel> {
    MessagesClient::new(channel(&world.replicas[replica].url, "NOTIFIER_URL").unwrap())
}

fn unbound<T>(message: T) -> Request<T> {
    Caller::new(ServiceToken::new(TOKEN)).unbound(message, PATIENCE)
}

/// A buyer whom the directory told of.
pub async fn buyer(world: &World, phone: &str) -> BuyerId {
    let buyer = BuyerId::new();
    sqlx::query(
        "INSERT INTO notifier.buyers (buyer_id, seller_id, email, phone) VALUES ($1, $2, 'Bea@example.com', $3)",
    )
    .bind(buyer.uuid())
    .bind(world.seller.uuid())
    .bind(phone)
    .execute(world.db.pool())
    .await
    .unwrap();
    buyer
}

async fn shown(world: &World, buyer: BuyerId) -> Preferences {
    let request = GetPreferencesRequest { buyer_id: buyer.to_string() };
    messages(world, 0).get_preferences(world.call(request)).await.unwrap().into_inner()
}

fn change(buyer: BuyerId) -> PutPreferencesRequest {
    PutPreferencesRequest { buyer_id: buyer.to_string(), ..Default::default() }
}

fn tokens() -> UnsubscribeTokens {
    leadflow_notifier::unsubscribe_tokens(&ServiceToken::new(TOKEN))
}

#[tokio::test]
async fn who_said_nothing_is_told_what_matters_and_a_change_is_kept_and_written_down() {
    let world = World::start().await;
    let (buyer, user) = (buyer(&world, "+12125550123").await, UserId::new());
    let usual = Preferences {
        buyer_id: buyer.to_string(),
        email_on_lead: true,
        email_on_low_balance: true,
        email_on_return: true,
        ..Default::default()
    };
    assert_eq!(shown(&world, buyer).await, usual);
    // Nor has anybody said anything whom the directory has not told of yet.
    let unheard = BuyerId::new();
    assert_eq!(shown(&world, unheard).await, Preferences { buyer_id: unheard.to_string(), ..usual.clone() });

    let put = async |request: PutPreferencesRequest| {
        let mut request = world.call(request);
        request.metadata_mut().insert(ACTOR, user.to_string().parse().unwrap());
        request.metadata_mut().insert(ACTOR_ROLE, ActorRole::Buyer.code().parse().unwrap());
        messages(&world, 0).put_preferences(request).await.unwrap().into_inner()
    };
    // What is so already is no change, and leaves nothing behind.
    assert_eq!(put(PutPreferencesRequest { email_on_lead: Some(true), ..change(buyer) }).await, usual);
    assert_eq!(world.count("SELECT count(*) FROM notifier.preferences").await, 0);

    let request = PutPreferencesRequest {
        sms_on_lead: Some(true),
        sms_on_low_balance: Some(true),
        email_on_return: Some(false),
        daily_summary: Some(true),
        quiet_from: Some(1_320),
        quiet_until: Some(420),
        time_zone: Some("America/Los_Angeles".into()),
        expected_version: Some(0),
        ..change(buyer)
    };
    let wanted = Preferences {
        sms_on_lead: true,
        sms_on_low_balance: true,
        email_on_return: false,
        daily_summary: true,
        quiet_from: 1_320,
        quiet_until: 420,
        time_zone: "America/Los_Angeles".into(),
        version: 1,
        ..usual
    };
    assert_eq!(put(request.clone()).await, wanted);
    assert_eq!(put(request).await, wanted, "the same again, though of another version, is no change");
    assert_eq!(shown(&world, buyer).await, wanted);
    let agreed = "SELECT extract(epoch FROM sms_agreed_at)::bigint FROM notifier.preferences";
    assert_eq!(world.count(agreed).await, world.now().timestamp());

    let mut connection = world.db.pool().acquire().await.unwrap();
    let trail = Trail::new("notifier");
    let (keys, _) = trail.keys(&mut connection, Some(world.seller), None, None, 100).await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let entries = trail.entries(&mut connection, Some(world.seller), &ids).await.unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((entry.action.as_ref(), entry.subject_id.as_str()), ("preferences.updated", &*buyer.to_string()));
    assert_eq!(entry.actor.unwrap().user, user);
    let (before, after) = (entry.before.as_ref().unwrap(), entry.after.as_ref().unwrap());
    assert_eq!((&before["dailySummary"], &after["dailySummary"]), (&json!(false), &json!(true)));
    assert_eq!((&before["version"], &after["version"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_stores_nothing() {
    let world = World::start().await;
    let (buyer, strangers) = (buyer(&world, "").await, SellerId::new());
    for (request, refusal) in [
        (PutPreferencesRequest { sms_on_lead: Some(true), ..change(buyer) }, "phone_missing"),
        (PutPreferencesRequest { sms_on_low_balance: Some(true), ..change(buyer) }, "phone_missing"),
        (PutPreferencesRequest { quiet_from: Some(1_440), ..change(buyer) }, "invalid_field"),
        (PutPreferencesRequest { quiet_until: Some(1_440), ..change(buyer) }, "invalid_field"),
        (PutPreferencesRequest { time_zone: Some("Mars".into()), ..change(buyer) }, "invalid_field"),
        (PutPreferencesRequest { buyer_id: "x".into(), ..change(buyer) }, "invalid_field"),
        (
            PutPreferencesRequest { daily_summary: Some(true), expected_version: Some(1), ..change(buyer) },
            "changed_meanwhile",
        ),
        (PutPreferencesRequest { daily_summary: Some(true), ..change(BuyerId::new()) }, "buyer_not_found"),
    ] {
        let answer = messages(&world, 0).put_preferences(world.call(request.clone())).await;
        assert_eq!(code(answer), refusal, "{request:?}");
    }
    let wanted = PutPreferencesRequest { daily_summary: Some(true), ..change(buyer) };
    let answer = messages(&world, 0).put_preferences(call_as(strangers, wanted.clone())).await;
    assert_eq!(code(answer), "buyer_not_found");
    let asked = GetPreferencesRequest { buyer_id: buyer.to_string() };
    let answer = messages(&world, 0).get_preferences(call_as(strangers, asked.clone())).await;
    assert_eq!(code(answer), "buyer_not_found");
    assert_eq!(code(messages(&world, 0).put_preferences(Request::new(wanted)).await), "bad_service_token");
    assert_eq!(code(messages(&world, 0).get_preferences(unbound(asked)).await), "tenant_missing");
    assert_eq!(world.count("SELECT count(*) FROM notifier.preferences").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM notifier.audit_entries").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_the_same_version_one_is_refused_and_different_fields_lose_nothing() {
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let buyer = buyer(&world, "").await;
    let at_once = |expected_version| {
        join_all((0..8_u32).map(|number| {
            let request = PutPreferencesRequest { quiet_from: Some(number + 1), expected_version, ..change(buyer) };
            let (mut client, request) = (messages(&world, number as usize % 2), world.call(request));
            async move { client.put_preferences(request).await }
        }))
    };
    let answers = at_once(Some(0)).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.into_iter().filter(Result::is_err).all(|answer| code(answer) == "changed_meanwhile"));
    assert_eq!(shown(&world, buyer).await.version, 1);

    let fields = [
        PutPreferencesRequest { email_on_lead: Some(false), ..change(buyer) },
        PutPreferencesRequest { email_on_return: Some(false), ..change(buyer) },
        PutPreferencesRequest { email_on_low_balance: Some(false), ..change(buyer) },
        PutPreferencesRequest { daily_summary: Some(true), ..change(buyer) },
    ];
    join_all(fields.into_iter().enumerate().map(|(number, request)| {
        let (mut client, request) = (messages(&world, number % 2), world.call(request));
        async move { client.put_preferences(request).await.unwrap() }
    }))
    .await;
    let after = shown(&world, buyer).await;
    assert_eq!(
        (after.email_on_lead, after.email_on_return, after.email_on_low_balance, after.daily_summary, after.version),
        (false, false, false, true, 5)
    );
}

#[tokio::test]
async fn where_a_buyer_is_not_reached_any_more_is_shown() {
    let world = World::start().await;
    let (mine, other) = (buyer(&world, "+12125550123").await, BuyerId::new());
    for statement in [
        "INSERT INTO notifier.suppressions VALUES ('SMS', '+12125550123', 'STOPPED', 'STOP', now())",
        "INSERT INTO notifier.suppressions VALUES ('EMAIL', 'bea@example.com', 'BOUNCED', '550 no such user', now())",
        "INSERT INTO notifier.suppressions VALUES ('EMAIL', 'joe@example.com', 'COMPLAINED', '', now())",
    ] {
        sqlx::query(statement).execute(world.db.pool()).await.unwrap();
    }
    let found = shown(&world, mine).await;
    assert_eq!((found.sms_stopped, found.email_dead_because.as_str()), (true, "550 no such user"));
    sqlx::query("UPDATE notifier.suppressions SET reason = 'BOUNCED', detail = 'a landline' WHERE channel = 'SMS'")
        .execute(world.db.pool())
        .await
        .unwrap();
    let dead = shown(&world, mine).await;
    assert_eq!((dead.sms_stopped, dead.sms_dead_because.as_str()), (false, "a landline"));
    sqlx::query("UPDATE notifier.suppressions SET reason = 'STOPPED' WHERE channel = 'SMS'")
        .execute(world.db.pool())
        .await
        .unwrap();
    // What is said with a change is the same.
    let request = PutPreferencesRequest { daily_summary: Some(true), ..change(mine) };
    let put = messages(&world, 0).put_preferences(world.call(request)).await.unwrap().into_inner();
    assert_eq!((put.sms_stopped, put.email_dead_because.as_str()), (true, "550 no such user"));

    sqlx::query("INSERT INTO notifier.buyers (buyer_id, seller_id, email) VALUES ($1, $2, 'joe@example.com')")
        .bind(other.uuid())
        .bind(world.seller.uuid())
        .execute(world.db.pool())
        .await
        .unwrap();
    let found = shown(&world, other).await;
    assert_eq!((found.sms_stopped, found.email_dead_because.as_str()), (false, "a mail to it was reported as spam"));
}

#[tokio::test]
async fn a_link_in_a_mail_ends_such_mails_and_no_others() {
    let world = World::start().await;
    let mine = buyer(&world, "").await;
    let request = PutPreferencesRequest { daily_summary: Some(true), ..change(mine) };
    messages(&world, 0).put_preferences(world.call(request)).await.unwrap();
    let follow = async |token: String| messages(&world, 0).unsubscribe(unbound(UnsubscribeRequest { token })).await;
    let token = tokens().write(mine, Topic::DailySummary);
    for _ in 0..2 {
        assert_eq!(follow(token.clone()).await.unwrap().into_inner().kind, "DAILY_SUMMARY");
        let after = shown(&world, mine).await;
        assert_eq!((after.daily_summary, after.email_on_lead, after.version), (false, true, 2));
    }
    assert_eq!(
        world
            .count(
                "SELECT count(*) FROM notifier.audit_entries \
                 WHERE action = 'preferences.unsubscribed' AND actor_user_id IS NULL"
            )
            .await,
        1
    );
    // Also of whoever never set anything.
    let quiet = buyer(&world, "").await;
    follow(tokens().write(quiet, Topic::LeadAssigned)).await.unwrap();
    let after = shown(&world, quiet).await;
    assert_eq!((after.email_on_lead, after.email_on_return, after.version), (false, true, 1));

    let others = UnsubscribeTokens::new(&[[7; 32]]).write(mine, Topic::LeadAssigned);
    for wrong in [String::new(), "x".repeat(44), others, tokens().write(BuyerId::new(), Topic::LeadAssigned)] {
        assert_eq!(code(follow(wrong).await), "invalid_token");
    }
    assert!(shown(&world, mine).await.email_on_lead);
}

#[tokio::test]
async fn a_provider_is_not_believed_without_a_key() {
    let world = World::start().await;
    let call = async |source: i32, body: Vec<u8>| {
        let request = TakeCallbackRequest { source, body: body.into(), ..Default::default() };
        code(messages(&world, 0).take_callback(unbound(request)).await)
    };
    for source in [CallbackSource::SendgridEvents, CallbackSource::TwilioStatus, CallbackSource::TwilioInbound] {
        assert_eq!(call(source.into(), b"[]".to_vec()).await, "not_configured");
        assert_eq!(call(source.into(), vec![0; (1 << 20) + 1]).await, "invalid_field");
    }
    for source in [0, 99] {
        assert_eq!(call(source, Vec::new()).await, "invalid_field");
    }
}
