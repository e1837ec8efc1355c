//! What Twilio calls back with: what became of texts, and what phones answer.

use leadflow_contracts::notifier::{CallbackSource as Source, TakeCallbackRequest, messages_client::MessagesClient};
use leadflow_notifier::app::{AppError, CallbackSource};
use leadflow_platform::grpc::{Caller, ServiceToken, channel};
use leadflow_testkit::wait;

use crate::{
    twilio::{Answer, Office, PHONE, PUBLIC, Phones, call, low, sign},
    usage::Heard,
    world::{PATIENCE, TOKEN, World, code, sold},
};

#[tokio::test(flavor = "multi_thread")]
async fn arrivals_are_told_once_and_in_any_order() {
    let office = Office::start().await;
    let heard = Heard::on(&office.world);
    let message = office.sent(&low()).await;
    let taken = office.phones.taken().remove(0);
    office.status(&taken, "queued", "").await.unwrap();
    assert_eq!(office.status_of(message).await, "SENT");
    office.status(&taken, "delivered", "").await.unwrap();
    assert_eq!(office.status_of(message).await, "DELIVERED");
    for late in ["queued", "sent", "delivered", "a status of another release"] {
        office.status(&taken, late, "").await.unwrap();
        assert_eq!(office.status_of(message).await, "DELIVERED", "{late}");
    }
    let ended = "SELECT count(*) FROM notifier.callbacks";
    assert_eq!(office.world.count(ended).await, 1);

    let other = office.sent(&low()).await;
    let taken = office.phones.taken().remove(1);
    let (a, b) =
        tokio::join!(office.status(&taken, "undelivered", "30003"), office.status(&taken, "undelivered", "30003"));
    a.unwrap();
    b.unwrap();
    let (status, _, error, ..) = office.row(other).await;
    assert_eq!(
        (status.as_str(), error.as_str()),
        ("BOUNCED", "Twilio told: undelivered (30003): the phone is switched off or out of reach")
    );
    assert_eq!(office.suppressed().await, None, "it may be on tomorrow");
    office.status(&taken, "sent", "").await.unwrap();
    assert_eq!(office.status_of(other).await, "BOUNCED");
    assert_eq!(heard.wait_for(2).await.len(), 2);
    assert_eq!(office.world.count("SELECT count(*) FROM notifier.message_attempts").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_twilios_is_not_believed() {
    let office = Office::start().await;
    let message = office.sent(&low()).await;
    let taken = office.phones.taken().remove(0);
    let fields = [("MessageSid", taken.sid.as_str()), ("MessageStatus", "failed"), ("To", PHONE)];
    let good = call(CallbackSource::TwilioStatus, taken.callback(), &fields);
    let take = async |change: &dyn Fn(&mut leadflow_notifier::app::Callback)| {
        let mut call = good.clone();
        change(&mut call);
        office.notifier.take_callback(&call).await
    };
    let header = |text: String| {
        move |call: &mut leadflow_notifier::app::Callback| {
            call.headers.insert("x-twilio-signature".into(), text.clone());
        }
    };
    let wrong = sign("not the token", taken.callback(), &fields);
    for answer in [
        take(&header(String::new())).await,
        take(&header(wrong)).await,
        take(&|call| call.headers.clear()).await,
        take(&|call| call.url = call.url.replace("segments=1", "segments=9")).await,
        take(&|call| call.url = call.url.replace("status", "inbound")).await,
        take(&|call| call.body = [&call.body[..], b"&ErrorCode=30006"].concat().into()).await,
        take(&|call| call.body = Vec::new().into()).await,
    ] {
        assert!(matches!(answer, Err(AppError::BadSignature)), "{answer:?}");
    }
    assert_eq!(office.status_of(message).await, "SENT");
    // Signed, and without what it is about.
    let empty = call(CallbackSource::TwilioStatus, taken.callback(), &[("To", PHONE)]);
    assert!(matches!(office.notifier.take_callback(&empty).await, Err(AppError::CallbackUnreadable)));
    let mut unset = office.notifier.clone();
    unset.twilio_tokens = None;
    assert!(matches!(unset.take_callback(&good).await, Err(AppError::NotConfigured("Twilio"))));
    // A call for a message that is nobody's.
    let nobody = call(
        CallbackSource::TwilioStatus,
        &format!("{PUBLIC}/api/webhooks/twilio/status"),
        &[("MessageSid", "SM0"), ("MessageStatus", "delivered")],
    );
    office.notifier.take_callback(&nobody).await.unwrap();
    take(&|_| {}).await.unwrap();
    assert_eq!(office.status_of(message).await, "BOUNCED");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_dead_end_texts_to_them() {
    let office = Office::start().await;
    let plain = format!("{PUBLIC}/api/webhooks/twilio/status");
    for (code, status, reason) in [("30006", "undelivered", "BOUNCED"), ("21610", "failed", "STOPPED")] {
        office.set("DELETE FROM notifier.suppressions").await;
        let message = office.sent(&low()).await;
        let taken = office.phones.taken().pop().unwrap();
        // Told without our own words: by its id.
        let fields = [("SmsSid", taken.sid.as_str()), ("SmsStatus", status), ("ErrorCode", code), ("To", PHONE)];
        office.notifier.take_callback(&call(CallbackSource::TwilioStatus, &plain, &fields)).await.unwrap();
        assert_eq!(office.status_of(message).await, "BOUNCED");
        let (known, why) = office.suppressed().await.unwrap();
        assert_eq!(known, reason);
        let next = office.sent(&low()).await;
        let (status, tries, error, ..) = office.row(next).await;
        assert_eq!((status.as_str(), tries, error), ("SUPPRESSED", 0, why));
        // START brings back who had stopped, and no number that is dead.
        office.answers(&format!("IN{code}"), "start").await;
        assert_eq!(office.suppressed().await.is_none(), reason == "STOPPED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_texts_that_wait_and_start_begins_again() {
    let office = Office::start().await;
    let waits = office.tell(&low()).await;
    office.answers("SM1", " Stop. ").await;
    assert_eq!(office.send().await, 1);
    let (status, tries, error, ..) = office.row(waits).await;
    assert_eq!((status.as_str(), tries, error.as_str()), ("SUPPRESSED", 0, "the phone sent STOP"));
    let audited = "SELECT count(*) FROM notifier.audit_entries WHERE action = 'preferences.sms_stopped'";
    assert_eq!(office.world.count(audited).await, 1);

    office.answers("SM2", "Please do not stop").await;
    office.answers("SM3", "help").await;
    assert!(office.suppressed().await.is_some());
    office.answers("SM4", "START").await;
    assert_eq!(office.suppressed().await, None);
    // Told again, it stops nothing.
    office.answers("SM1", " Stop. ").await;
    assert_eq!(office.suppressed().await, None);
    let message = office.sent(&low()).await;
    assert_eq!(office.status_of(message).await, "SENT");
    // A word of the account's own, as Twilio understood it; to two replicas at once.
    let fields = [("MessageSid", "SM5"), ("From", PHONE), ("Body", "arrêt"), ("OptOutType", "STOP")];
    let stop = call(CallbackSource::TwilioInbound, &format!("{PUBLIC}/api/webhooks/twilio/inbound"), &fields);
    let (a, b) = tokio::join!(office.notifier.take_callback(&stop), office.notifier.take_callback(&stop));
    a.unwrap();
    b.unwrap();
    assert_eq!(office.suppressed().await.unwrap().0, "STOPPED");
    assert_eq!(office.world.count(audited).await, 2);
    let again = "SELECT count(*) FROM notifier.audit_entries WHERE action = 'preferences.sms_started'";
    assert_eq!(office.world.count(again).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_tells_before_its_answer_is_recorded_is_no_second_text() {
    let office = Office::start().await;
    let heard = Heard::on(&office.world);
    // Its answer takes longer than the message.
    office.phones.answer(Answer::Held);
    let message = office.tell(&low()).await;
    let ended = async {
        office.phones.arrived.notified().await;
        let taken = office.phones.taken().remove(0);
        office.status(&taken, "sent", "").await.unwrap();
        assert_eq!(office.status_of(message).await, "WAITING", "whoever sends it is still there");
        office.status(&taken, "delivered", "").await.unwrap();
        office.phones.release.add_permits(1);
    };
    let (sent, ()) = tokio::join!(office.send(), ended);
    assert_eq!(sent, 1);
    let (status, tries, ..) = office.row(message).await;
    assert_eq!((status.as_str(), tries), ("DELIVERED", 1));
    let attempts = "SELECT count(*) FROM notifier.message_attempts WHERE status_code = 201";
    assert_eq!(office.world.count(attempts).await, 1);
    assert_eq!(heard.wait_for(1).await[0].units, 1, "as counted here");

    // The answer is lost, and then its call-back comes: it is not even asked for.
    office.phones.answer(Answer::Lost);
    let lost = office.sent(&low()).await;
    let taken = office.phones.taken().remove(1);
    office.status(&taken, "queued", "").await.unwrap();
    assert_eq!(office.send().await, 1);
    assert_eq!(office.row(lost).await, ("SENT".into(), 1, String::new(), Some(taken.sid.clone()), 1));

    // Whoever sent it died.
    let dead = office.sent(&low()).await;
    office.forget(dead, &low(), 180).await;
    let taken = office.phones.taken().remove(2);
    office.status(&taken, "sent", "").await.unwrap();
    assert_eq!(office.send().await, 0);
    office.world.advance(200);
    assert_eq!(office.notifier.expire_messages().await.unwrap(), 0);
    assert_eq!(office.send().await, 1);
    assert_eq!(office.status_of(dead).await, "SENT");

    // It was of no use any more when it was told that it had arrived.
    office.phones.answer(Answer::Lost);
    let late = office.sent(&low()).await;
    office.world.advance(25 * 3_600);
    assert_eq!(office.notifier.expire_messages().await.unwrap(), 1);
    office.status(&office.phones.taken().remove(3), "delivered", "").await.unwrap();
    assert_eq!(office.status_of(late).await, "DELIVERED");
    assert_eq!((office.phones.taken().len(), office.phones.asked()), (4, 0));
    let paid: Vec<_> = heard.wait_for(4).await.iter().map(|paid| paid.message_id.clone()).collect();
    assert_eq!(paid.len(), 4, "{paid:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_though_its_sender_died_and_its_time_was_over_is_known_to_have_arrived() {
    let office = Office::start().await;
    let heard = Heard::on(&office.world);
    let message = office.sent(&low()).await;
    // As if whoever handed it over had died before he recorded it; nobody takes it again while it is of use.
    office.forget(message, &low(), 180).await;
    office.world.advance(300);
    assert_eq!(office.notifier.expire_messages().await.unwrap(), 1);
    assert_eq!(office.status_of(message).await, "EXPIRED");
    office.status(&office.phones.taken().remove(0), "delivered", "").await.unwrap();
    assert_eq!(office.status_of(message).await, "DELIVERED");
    assert_eq!(heard.wait_for(1).await[0].message_id, message.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_sends_texts_and_takes_calls() {
    let mut world = World::empty().await;
    let phones = Phones::start(&world.clock).await;
    let settings = phones.settings.clone();
    world.replica(|config| config.sms = Some(settings)).await;
    let buyer = leadflow_kernel::BuyerId::new();
    sqlx::query(
        "WITH wishes AS (INSERT INTO notifier.preferences \
           (buyer_id, seller_id, email_on_lead, sms_on_lead, sms_agreed_at, updated_at) VALUES ($2, $1, false, true, $4, $4)) \
         INSERT INTO notifier.buyers (buyer_id, seller_id, phone) VALUES ($2, $1, $3)",
    )
    .bind(world.seller.uuid())
    .bind(buyer.uuid())
    .bind(PHONE)
    .bind(world.now())
    .execute(world.db.pool())
    .await
    .unwrap();
    // Told twice, it is one.
    let event = sold(world.seller, &[buyer], world.now());
    world.publish(&event).await;
    world.publish(&event).await;
    wait::until("the text is sent", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT' AND channel = 'SMS'").await == 1
    })
    .await;
    let taken = phones.taken().remove(0);
    assert_eq!(taken.body(), "LeadFlow: New lead John, CA (Solar West). Reply STOP to end.");
    let client = || MessagesClient::new(channel(&world.replicas[0].url, "NOTIFIER_URL").unwrap());
    let take = async |source: Source, signature: &str, url: &str, body: &str| {
        let request = TakeCallbackRequest {
            source: source.into(),
            headers: [("x-twilio-signature".to_owned(), signature.to_owned())].into(),
            body: body.as_bytes().to_vec().into(),
            url: url.to_owned(),
        };
        let request = Caller::new(ServiceToken::new(TOKEN)).unbound(request, PATIENCE);
        client().take_callback(request).await
    };
    let fields = [("MessageSid", taken.sid.as_str()), ("MessageStatus", "delivered")];
    let good = call(CallbackSource::TwilioStatus, taken.callback(), &fields);
    let (signature, body) = (&good.headers["x-twilio-signature"], std::str::from_utf8(&good.body).unwrap());
    assert_eq!(code(take(Source::TwilioStatus, "AAAA", taken.callback(), body).await), "bad_signature");
    take(Source::TwilioStatus, signature, taken.callback(), body).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE status = 'DELIVERED'").await, 1);

    let inbound = format!("{PUBLIC}/api/webhooks/twilio/inbound");
    let fields = [("MessageSid", "SM0"), ("From", PHONE), ("Body", "STOP")];
    let stop = call(CallbackSource::TwilioInbound, &inbound, &fields);
    let (signature, body) = (&stop.headers["x-twilio-signature"], std::str::from_utf8(&stop.body).unwrap());
    let answer = take(Source::TwilioInbound, signature, &inbound, body).await.unwrap();
    assert_eq!(answer.into_inner().answer, "");
    world.sell(&[buyer]).await;
    wait::until("the next is not", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SUPPRESSED' AND channel = 'SMS'").await == 1
    })
    .await;
    assert_eq!(phones.taken().len(), 1);
}
