//! Text messages: who is sent which, when, and how often.

use leadflow_contracts::events::UsageKind;
use leadflow_notifier::app::Telling;
use leadflow_notifier_domain::News;
use leadflow_testkit::wait;

use crate::{
    twilio::{Answer, FROM, Office, PHONE, lead, low, query, replica},
    usage::Heard,
    world::PATIENCE,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_says_what_happened_and_costs_what_its_provider_says() {
    let office = Office::start().await;
    let heard = Heard::on(&office.world);
    let message = office.sent(&lead("John")).await;
    let taken = office.phones.taken().remove(0);
    assert_eq!(taken.body(), "Acme Solar: New lead John O'Neil, CA (Solar West). Reply STOP to end.");
    assert_eq!((taken.form["To"].as_str(), taken.form["From"].as_str(), taken.form.len()), (PHONE, FROM, 4));
    assert!(taken.callback().starts_with("https://api.example.com/api/webhooks/twilio/status?"));
    assert_eq!(query(taken.callback(), "message"), message.to_string());
    assert_eq!(query(taken.callback(), "segments"), "1");
    assert_eq!(office.row(message).await, ("SENT".into(), 1, String::new(), Some(taken.sid), 2));
    let paid = heard.wait_for(1).await;
    assert_eq!((paid[0].message_id.clone(), paid[0].kind(), paid[0].units), (message.to_string(), UsageKind::Sms, 2));
    assert_eq!(office.phones.asked(), 0, "what is new is not asked for");

    for (news, wanted) in [
        (low(), "Acme Solar: Low balance, $9.50 left. Add money to keep getting leads. Reply STOP to end."),
        (
            News::RechargeTurnedOff { why: "x".into() },
            "Acme Solar: Recharging is off now. Add money to keep getting leads. Reply STOP to end.",
        ),
    ] {
        office.sent(&news).await;
        assert_eq!(office.phones.taken().last().unwrap().body(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_texts_who_did_not_ask_for_them_or_has_no_phone() {
    let office = Office::start().await;
    let tell = async || {
        let told = Telling {
            source: uuid::Uuid::now_v7().as_bytes().to_vec(),
            seller: office.world.seller,
            buyer: office.buyer,
            lead: None,
            news: low(),
            traceparent: None,
        };
        office.notifier.accept_news(&[told]).await.unwrap();
        office.world.count("SELECT count(*) FROM notifier.messages WHERE channel = 'SMS'").await
    };
    assert_eq!(tell().await, 1);
    office.set("UPDATE notifier.preferences SET sms_on_low_balance = false").await;
    assert_eq!(tell().await, 1);
    office.set("UPDATE notifier.preferences SET sms_on_low_balance = true").await;
    office.set("UPDATE notifier.buyers SET phone = ''").await;
    assert_eq!(tell().await, 1);

    // Who changes his mind before it is sent: of that message, or of all.
    for (change, why) in [
        ("UPDATE notifier.preferences SET sms_on_low_balance = true", "no phone number"),
        ("UPDATE notifier.preferences SET sms_on_low_balance = false", "does not want"),
        ("UPDATE notifier.preferences SET sms_on_low_balance = true, sms_agreed_at = NULL", "does not want"),
    ] {
        office.set(change).await;
        let message = office.tell(&low()).await;
        while office.send().await > 0 {}
        let (status, tries, error, ..) = office.row(message).await;
        assert_eq!((status.as_str(), tries), ("SUPPRESSED", 0), "{error}");
        assert!(error.contains(why), "{error}");
    }
    assert!(office.phones.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_goes_to_the_number_that_is_his_when_it_is_sent() {
    let office = Office::start().await;
    office.tell(&low()).await;
    office.set("UPDATE notifier.buyers SET phone = '+12125550199'").await;
    assert_eq!(office.send().await, 1);
    assert_eq!(office.phones.taken()[0].form["To"], "+12125550199");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_quiet_hours_only_what_is_urgent_is_sent() {
    let office = Office::start().await;
    // It is 3 in the morning in New York, which is the seller's; at 7 it is 12 in UTC.
    assert_eq!(office.world.now().to_rfc3339(), "2027-01-15T08:00:00+00:00");
    office.set("UPDATE notifier.preferences SET quiet_from = 1320, quiet_until = 420").await;
    let message = office.sent(&lead("John")).await;
    let urgent = office.sent(&low()).await;
    assert_eq!((office.status_of(message).await, office.status_of(urgent).await), ("WAITING".into(), "SENT".into()));
    office.world.advance(4 * 3_600 - 1);
    assert_eq!(office.send().await, 0);
    office.world.advance(1);
    assert_eq!(office.send().await, 1);
    let (status, tries, error, ..) = office.row(message).await;
    assert_eq!((status.as_str(), tries, error.as_str()), ("SENT", 1, ""));

    // His own time zone goes before: it is 4 in the morning in Los Angeles.
    office.set("UPDATE notifier.preferences SET time_zone = 'America/Los_Angeles'").await;
    let message = office.sent(&lead("Ann")).await;
    assert_eq!(office.status_of(message).await, "WAITING");
    office.world.advance(3 * 3_600);
    assert_eq!(office.send().await, 1);
    assert_eq!(office.status_of(message).await, "SENT");

    // Who wants to hear of leads for one minute a day only.
    office.set("UPDATE notifier.preferences SET quiet_from = 419, quiet_until = 418").await;
    let mut late = office.message(&lead("Bob"));
    late.expires_at = office.world.now() + chrono::TimeDelta::hours(23);
    office.notifier.accept_messages(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(office.send().await, 1);
    let (status, _, error, ..) = office.row(late.id).await;
    assert_eq!((status.as_str(), error.as_str()), ("SUPPRESSED", "his quiet hours last until it is of no use"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_night_when_clocks_are_set_the_morning_comes_when_it_comes() {
    let office = Office::start().await;
    // New York, 14 March 2027: at 2 it is 3. Quiet until half past two.
    let night = "2027-03-14T06:30:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    office.world.clock.advance(night - office.world.now());
    office.set("UPDATE notifier.preferences SET quiet_from = 0, quiet_until = 150").await;
    let message = office.sent(&lead("John")).await;
    office.world.advance(1_799);
    assert_eq!(office.send().await, 0);
    office.world.advance(1);
    assert_eq!(office.send().await, 1);
    assert_eq!(office.status_of(message).await, "SENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_us_or_twilio_is_tried_again_and_what_is_wrong_with_the_number_is_not() {
    let office = Office::start().await;
    let message = office.tell(&low()).await;
    let no = |status, code| Answer::No(status, code, None);
    for (answers, why) in [
        (vec![Answer::No(429, 20429, Some("1800"))], "429"),
        (vec![no(401, 20003)], "credentials"),
        (vec![no(503, 20503)], "503"),
        // It may have it: that is asked first.
        (vec![no(404, 20404)], "may be sent already, and Twilio could not be asked: Twilio answered 404"),
        (vec![Answer::Usual, no(400, 21606)], "may not send from this number"),
    ] {
        answers.into_iter().for_each(|answer| office.phones.answer(answer));
        assert_eq!(office.send().await, 1, "{why}");
        let (now, _, error, ..) = office.row(message).await;
        assert!(now == "WAITING" && error.contains(why), "{error}");
        if why == "429" {
            office.world.advance(1_799);
            assert_eq!(office.send().await, 0, "it said when");
        }
        office.world.advance(3_600);
    }
    assert_eq!(office.send().await, 1);
    assert_eq!((office.status_of(message).await.as_str(), office.phones.taken().len()), ("SENT", 1));

    for (code, status, reason) in
        [(21408, "REFUSED", None), (21614, "REFUSED", Some("BOUNCED")), (21610, "SUPPRESSED", Some("STOPPED"))]
    {
        office.set("DELETE FROM notifier.suppressions").await;
        office.phones.answer(Answer::No(400, code, None));
        let message = office.sent(&low()).await;
        let (now, tries, error, ..) = office.row(message).await;
        assert_eq!((now.as_str(), tries), (status, 1), "{code}: {error}");
        let suppressed = office.suppressed().await;
        assert_eq!(suppressed.as_ref().map(|(reason, _)| reason.as_str()), reason, "{code}");
        if let Some((_, why)) = suppressed {
            let next = office.sent(&low()).await;
            let (now, tries, error, ..) = office.row(next).await;
            assert_eq!((now.as_str(), tries, error), ("SUPPRESSED", 0, why));
        }
    }
    assert_eq!(office.phones.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_no_second_text() {
    let office = Office::start().await;
    let heard = Heard::on(&office.world);
    office.phones.answer(Answer::Lost);
    let message = office.sent(&low()).await;
    let (status, tries, error, provider_id, _) = office.row(message).await;
    assert_eq!((status.as_str(), tries, provider_id), ("WAITING", 1, None), "{error}");
    office.world.advance(60);
    assert_eq!(office.send().await, 1);
    let sid = office.phones.taken()[0].sid.clone();
    assert_eq!(office.row(message).await, ("SENT".into(), 2, String::new(), Some(sid.clone()), 2));
    assert_eq!((office.phones.taken().len(), office.phones.asked()), (1, 1));

    // The same words again: what is there is the other message's.
    office.phones.answer(Answer::No(500, 20500, None));
    let other = office.sent(&low()).await;
    assert_eq!(office.status_of(other).await, "WAITING");
    office.world.advance(60);
    assert_eq!(office.send().await, 1);
    let (status, _, _, provider_id, _) = office.row(other).await;
    assert_eq!((status.as_str(), office.phones.taken().len()), ("SENT", 2));
    assert_ne!(provider_id.unwrap(), sid);
    assert_eq!(heard.wait_for(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_send_each_text_once_and_one_that_died_leaves_none_behind() {
    let office = Office::start().await;
    let other = replica(&office.world, &office.phones);
    // Somebody had this one, handed it over, and died.
    let died = office.sent(&low()).await;
    office.forget(died, &low(), 0).await;
    for letter in ('a'..='z').chain('A'..='D') {
        office.tell(&lead(&letter.to_string())).await;
    }
    let round = async || {
        let (a, b) = tokio::join!(office.send(), other.0.send_messages(&other.1));
        a + b.unwrap()
    };
    wait::until("all are sent", PATIENCE, async || {
        round().await;
        office.world.advance(1);
        office.world.count("SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'").await == 0
    })
    .await;
    assert_eq!(office.world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await, 31);
    assert_eq!(office.phones.taken().len(), 31);
    assert_eq!(office.world.count("SELECT count(DISTINCT provider_id) FROM notifier.messages").await, 31);
    assert_eq!(office.phones.asked(), 1);
}
