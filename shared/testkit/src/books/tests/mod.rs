//! A checker that cannot fail is worthless: every invariant is broken here on purpose, on the real
//! tables, and must be seen to be.

mod fixture;
mod plants;
mod stripe;

use std::time::Duration;

use leadflow_kernel::{LeadId, SubscriptionId};
use rust_decimal::Decimal;

use super::{Answer, Answered, Expectations, check, invariants, wait_until_settled};
use fixture::{books, expectations, id, loose_books};

#[tokio::test]
async fn right_books_are_clean() {
    let db = books().await;
    let report = check(db.pool(), &expectations()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.findings.len(), invariants::all().count());
    // Each was checked on something, or it would say nothing.
    let idle: Vec<_> = report.findings.iter().filter(|f| f.checked == 0).map(|f| f.invariant.name).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

#[tokio::test]
async fn every_invariant_is_seen_to_break() {
    for invariant in invariants::all() {
        assert!(
            plants::ALL.iter().any(|plant| plant.breaks.contains(&invariant.name)),
            "nothing breaks {}",
            invariant.name
        );
    }
    let mut surprises = Vec::new();
    for plant in plants::ALL {
        let db = loose_books().await;
        plant.carry_out(db.pool()).await;
        let report = check(db.pool(), &expectations()).await.unwrap();
        let mut broken: Vec<&str> = report.broken().map(|finding| finding.invariant.name).collect();
        let mut meant = plant.breaks.to_vec();
        broken.sort_unstable();
        meant.sort_unstable();
        // What does not follow from the planted error must not be reported either.
        if broken != meant {
            surprises.push(format!("{}: meant to break {meant:?}\n{report}", plant.what));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
}

#[tokio::test]
async fn false_answers_are_seen() {
    let db = books().await;
    let lies = [
        (1, Answered::Unsold, true),
        (1, Answered::Pending, true),
        (1, Answered::Distributed { buyers: 1, price: Decimal::new(2500, 2) }, true),
        (1, Answered::Distributed { buyers: 2, price: Decimal::new(2500, 2) }, false),
        (1, Answered::Distributed { buyers: 1, price: Decimal::new(2501, 2) }, false),
        (1, Answered::Rejected { reason: "duplicate".into() }, false),
        (1, Answered::Test, false),
        (3, Answered::Unsold, true),
        (3, Answered::Distributed { buyers: 1, price: Decimal::new(2500, 2) }, false),
        (4, Answered::Rejected { reason: "duplicate".into() }, true),
        (4, Answered::Rejected { reason: "campaign_inactive".into() }, false),
        (4, Answered::Unsold, false),
        (5, Answered::Unsold, true),
        (6, Answered::Test, true),
        (6, Answered::Distributed { buyers: 1, price: Decimal::new(2500, 2) }, false),
    ];
    for (lead, answered, truth) in lies {
        let answers = vec![Answer { lead_id: id::<LeadId>("lead", lead), answered: answered.clone() }];
        let report = check(db.pool(), &Expectations { answers, ..Expectations::settled() }).await.unwrap();
        assert_eq!(report.is_clean(), truth, "lead {lead}, {answered:?}\n{report}");
    }
}

#[tokio::test]
async fn a_cap_that_was_lowered_since_is_no_violation_when_the_caller_says_so() {
    let db = books().await;
    sqlx::query("UPDATE distribution.subscriptions SET daily_cap = 0").execute(db.pool()).await.unwrap();
    assert!(!check(db.pool(), &expectations()).await.unwrap().is_clean());
    let changed_subscriptions = (1..=3).map(|n| id::<SubscriptionId>("sub", n)).collect();
    let report = check(db.pool(), &Expectations { changed_subscriptions, ..expectations() }).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn work_that_is_left_is_a_violation_only_at_rest() {
    let db = loose_books().await;
    let hold = plants::ALL.iter().find(|plant| plant.what == "a hold left behind").unwrap();
    hold.carry_out(db.pool()).await;
    assert!(check(db.pool(), &Expectations::default()).await.unwrap().is_clean());
    let error = wait_until_settled(db.pool(), &[], Duration::ZERO).await.unwrap_err();
    assert_eq!(error.left, ["1 open holds"]);
}

#[tokio::test]
async fn an_event_of_this_moment_may_wait_for_its_publishing() {
    let db = books().await;
    let insert = "INSERT INTO notifier.outbox (id, ordered, batch, retry_at) VALUES ($1, false, '', now())";
    sqlx::query(insert).bind(LeadId::new().uuid()).execute(db.pool()).await.unwrap();
    let report = check(db.pool(), &expectations()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn waiting_ends_when_everything_is_at_rest() {
    let db = books().await;
    let known = id::<LeadId>("lead", 1);
    wait_until_settled(db.pool(), &[known], Duration::ZERO).await.unwrap();
    let unknown = wait_until_settled(db.pool(), &[known, LeadId::new()], Duration::ZERO).await.unwrap_err();
    assert_eq!(unknown.left, ["1 leads not decided"]);
}

#[tokio::test]
async fn what_was_just_sent_is_waited_for_before_it_must_be_counted() {
    let db = books().await;
    sqlx::raw_sql("DELETE FROM billing.usage_seen; DELETE FROM billing.usage_unpriced")
        .execute(db.pool())
        .await
        .unwrap();
    let report = check(db.pool(), &expectations()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let error = wait_until_settled(db.pool(), &[], Duration::ZERO).await.unwrap_err();
    assert_eq!(error.left, ["1 messages not counted"]);
}

#[tokio::test]
async fn what_not_every_service_has_heard_of_is_waited_for() {
    let db = books().await;
    let plant = plants::ALL.iter().find(|plant| plant.what == "a service that did not hear of a change").unwrap();
    plant.carry_out(db.pool()).await;
    let error = wait_until_settled(db.pool(), &[], Duration::ZERO).await.unwrap_err();
    assert_eq!(error.left, ["1 against copies_are_current"]);
}

#[tokio::test]
async fn a_message_counted_whose_record_was_lost_may_be_sent_again() {
    let db = books().await;
    let lost = "UPDATE notifier.deliveries SET status = 'PENDING', ended_at = NULL, due_at = now() + interval '1 hour', \
                attempts_made = 0 WHERE status = 'DELIVERED'; DELETE FROM notifier.attempts a USING notifier.deliveries d \
                WHERE d.delivery_id = a.delivery_id AND d.attempts_made = 0";
    sqlx::raw_sql(lost).execute(db.pool()).await.unwrap();
    let report = check(db.pool(), &expectations()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn the_report_says_what_was_promised_and_what_was_found() {
    let db = books().await;
    sqlx::query("UPDATE distribution.leads SET expires_at = NULL").execute(db.pool()).await.unwrap();
    let report = check(db.pool(), &expectations()).await.unwrap().to_string();
    assert!(report.contains("!! lead_for_sale_expires"), "{report}");
    assert!(report.contains("promised: A lead that is for sale"), "{report}");
    assert!(report.contains(&format!("- lead {} is for sale for ever", id::<LeadId>("lead", 3).uuid())), "{report}");
    assert!(report.contains("THE BOOKS ARE WRONG: 1 of"), "{report}");
}
