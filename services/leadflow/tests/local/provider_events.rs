//! `leadflow provider-events`: webhooks of the payment provider that were given up.

use leadflow_testkit::TestDb;

use crate::command::run;

#[tokio::test]
async fn an_operator_sees_why_and_has_them_worked_off_again() {
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    assert!(run(&url, &["migrate"]).0);
    let (fine, text) = run(&url, &["provider-events", "list"]);
    assert!(fine && text.contains("no webhook of the payment provider was given up"), "{text}");
    assert!(run(&url, &["doctor"]).1.contains("every webhook of the payment provider was worked off"));

    for (id, state) in [("evt_1", "given_up"), ("evt_2", "given_up"), ("evt_3", "waiting")] {
        let body = format!(
            r#"{{"id":"{id}","type":"payment_intent.succeeded","created":1800000000,"data":{{"object":{{"id":"pi_1","amount":5000,
               "receipt_email":"bea@buyer.example","client_secret":"pi_1_secret_x"}}}}}}"#
        );
        sqlx::query(
            "INSERT INTO billing.provider_events (event_id, type, created, body, received_at, state, attempts, next_at, error) \
             VALUES ($1, 'payment_intent.succeeded', now(), $2, now(), $3, 20, now(), 'the provider does not answer')",
        )
        .bind(id)
        .bind(body)
        .bind(state)
        .execute(db.pool())
        .await
        .expect("an event");
    }
    let (fine, text) = run(&url, &["provider-events", "list"]);
    assert!(!fine && text.contains("evt_1") && text.contains("evt_2") && !text.contains("evt_3"), "{text}");
    assert!(text.contains("the provider does not answer"), "{text}");
    assert!(run(&url, &["doctor"]).1.contains("2 webhooks of the payment provider were given up"));
    let (fine, text) = run(&url, &["provider-events", "show", "evt_1"]);
    assert!(fine && text.contains("pi_1") && text.contains("5000"), "{text}");
    assert!(!text.contains("buyer.example") && !text.contains("secret"), "{text}");
    let (fine, text) = run(&url, &["provider-events", "show", "evt_3"]);
    assert!(!fine && text.contains("no webhook \"evt_3\" was given up"), "{text}");

    let (fine, text) = run(&url, &["provider-events", "retry", "evt_1", "evt_3"]);
    assert!(!fine && text.contains("evt_1 is worked off again") && text.contains("not known: evt_3"), "{text}");
    let (fine, text) = run(&url, &["provider-events", "retry", "--all"]);
    assert!(fine && text.contains("evt_2 is worked off again"), "{text}");
    assert!(run(&url, &["provider-events", "list"]).0);
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM billing.provider_events WHERE state = 'waiting' AND next_at <= now() AND event_id <> 'evt_3' AND attempts = 0",
    )
    .fetch_one(db.pool())
    .await
    .expect("ask");
    assert_eq!(waiting, 2);
}
