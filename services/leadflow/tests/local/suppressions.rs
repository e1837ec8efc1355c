//! `leadflow suppressions`: addresses and numbers that nothing is sent to.

use leadflow_testkit::TestDb;

use crate::command::run;

#[tokio::test]
async fn an_operator_sees_why_and_has_an_address_sent_to_again() {
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    assert!(run(&url, &["migrate"]).0);
    let (fine, text) = run(&url, &["suppressions", "list"]);
    assert!(fine && text.contains("every address and number is sent to"), "{text}");
    for (channel, recipient, reason) in [
        ("EMAIL", "bea@buyer.example", "BOUNCED"),
        ("SMS", "+12125550123", "STOPPED"),
        ("SMS", "+12125550124", "BOUNCED"),
    ] {
        sqlx::query("INSERT INTO notifier.suppressions (channel, recipient, reason, detail, at) VALUES ($1, $2, $3, 'no such one', now())")
            .bind(channel)
            .bind(recipient)
            .bind(reason)
            .execute(db.pool())
            .await
            .expect("a suppression");
    }
    let (fine, text) = run(&url, &["suppressions", "list"]);
    assert!(fine && text.contains("bea@buyer.example") && text.contains("no such one"), "{text}");
    let (fine, text) = run(&url, &["suppressions", "lift", "email", "Bea@Buyer.example"]);
    assert!(fine && text.contains("is sent to again"), "{text}");
    assert!(run(&url, &["suppressions", "lift", "sms", "+12125550124"]).0);
    // What a person asked for is not an operator's to undo; nor is an address of the other kind.
    let (fine, text) = run(&url, &["suppressions", "lift", "sms", "+12125550123"]);
    assert!(!fine && text.contains("START"), "{text}");
    assert!(!run(&url, &["suppressions", "lift", "email", "+12125550123"]).0);
    let left: Vec<String> =
        sqlx::query_scalar("SELECT recipient FROM notifier.suppressions").fetch_all(db.pool()).await.expect("ask");
    assert_eq!(left, ["+12125550123"]);
}
