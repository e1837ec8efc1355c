//! Stripe's record against right books: whatever it has more, less or otherwise must be seen.

use leadflow_kernel::{PaymentId, RefundId};

use super::fixture::{books, expectations, text};
use crate::books::{Expectations, StripeRecord, check};

struct Change {
    what: &'static str,
    breaks: &'static [&'static str],
    make: fn(&mut StripeRecord),
}

const CHANGES: [Change; 18] = [
    Change {
        what: "a charge unknown to us",
        breaks: &["charge_at_stripe_is_ours", "charge_at_stripe_is_credited_once"],
        make: |stripe| {
            let mut charge = stripe.charges[0].clone();
            (charge.id, charge.intent) = ("ch_9".into(), "pi_9".into());
            charge.metadata = [("payment_id".to_owned(), PaymentId::new().to_string())].into();
            stripe.charges.push(charge);
        },
    },
    Change {
        what: "a charge of nobody",
        breaks: &["charge_at_stripe_is_ours", "charge_at_stripe_is_credited_once"],
        make: |stripe| {
            let mut charge = stripe.charges[0].clone();
            (charge.id, charge.intent) = ("ch_9".into(), "pi_9".into());
            charge.metadata.clear();
            stripe.charges.push(charge);
        },
    },
    Change {
        what: "a decline unknown to us",
        breaks: &["charge_at_stripe_is_ours"],
        make: |stripe| stripe.charges[2].metadata = [("payment_id".to_owned(), PaymentId::new().to_string())].into(),
    },
    Change {
        what: "a payment charged twice",
        breaks: &["charge_at_stripe_is_ours"],
        make: |stripe| {
            let mut charge = stripe.charges[0].clone();
            (charge.id, charge.intent) = ("ch_9".into(), "pi_9".into());
            stripe.charges.push(charge);
        },
    },
    Change {
        what: "a charge that we lost",
        breaks: &["charge_at_stripe_is_ours", "charge_at_stripe_is_credited_once"],
        make: |stripe| stripe.charges[2].status = "succeeded".into(),
    },
    Change {
        // (Declines before the charge that pays are nothing wrong.)
        what: "a charge that no card has paid",
        breaks: &["payment_was_paid_at_stripe"],
        make: |stripe| stripe.charges[1].status = "failed".into(),
    },
    Change {
        what: "a charge that is not there",
        breaks: &["payment_was_paid_at_stripe"],
        make: |stripe| {
            stripe.charges.remove(1);
        },
    },
    Change {
        what: "another amount",
        breaks: &["charge_at_stripe_is_ours", "charge_at_stripe_is_credited_once"],
        make: |stripe| stripe.charges[0].amount += 1,
    },
    Change {
        what: "another currency",
        breaks: &["charge_at_stripe_is_ours"],
        make: |stripe| stripe.charges[0].currency = "eur".into(),
    },
    Change {
        what: "a refund that is not there",
        breaks: &["refund_is_the_same_at_stripe", "payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            stripe.refunds.clear();
            stripe.charges[0].refunded = 0;
        },
    },
    Change {
        what: "a refund unknown to us",
        breaks: &["refund_is_the_same_at_stripe", "payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            let mut refund = stripe.refunds[0].clone();
            (refund.id, refund.amount) = ("re_9".into(), 500);
            refund.metadata = [("refund_id".to_owned(), RefundId::new().to_string())].into();
            stripe.refunds.push(refund);
            stripe.charges[0].refunded += 500;
        },
    },
    Change {
        what: "a refund made at the dashboard that nobody heard of",
        breaks: &["payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            let mut refund = stripe.refunds[0].clone();
            (refund.id, refund.amount) = ("re_9".into(), 500);
            refund.metadata.clear();
            stripe.refunds.push(refund);
            stripe.charges[0].refunded += 500;
        },
    },
    Change {
        what: "a refund made twice",
        breaks: &["refund_is_the_same_at_stripe", "payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            let mut refund = stripe.refunds[0].clone();
            refund.id = "re_9".into();
            stripe.refunds.push(refund);
            stripe.charges[0].refunded *= 2;
        },
    },
    Change {
        what: "a refund of another amount",
        breaks: &["refund_is_the_same_at_stripe", "payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            stripe.refunds[0].amount += 1;
            stripe.charges[0].refunded += 1;
        },
    },
    Change {
        what: "a refund that failed at Stripe only",
        breaks: &["refund_is_the_same_at_stripe", "payment_counts_what_stripe_gave_back"],
        make: |stripe| {
            stripe.refunds[0].status = "failed".into();
            stripe.charges[0].refunded = 0;
        },
    },
    Change {
        what: "a dispute unknown to us",
        breaks: &["dispute_is_the_same_at_stripe"],
        make: |stripe| {
            let mut dispute = stripe.disputes[1].clone();
            dispute.id = "du_9".into();
            stripe.disputes.push(dispute);
        },
    },
    Change {
        what: "a dispute that is not there",
        breaks: &["dispute_is_the_same_at_stripe"],
        make: |stripe| {
            stripe.disputes.remove(0);
        },
    },
    Change {
        what: "a dispute that was won there",
        breaks: &["dispute_is_the_same_at_stripe"],
        make: |stripe| stripe.disputes[0].status = "won".into(),
    },
];

#[tokio::test]
async fn whatever_stripe_has_otherwise_is_seen() {
    let db = books().await;
    let mut surprises = Vec::new();
    for change in &CHANGES {
        let mut expectations = expectations();
        (change.make)(expectations.stripe.as_mut().unwrap());
        let report = check(db.pool(), &expectations).await.unwrap();
        let mut broken: Vec<&str> = report.broken().map(|finding| finding.invariant.name).collect();
        let mut meant = change.breaks.to_vec();
        broken.sort_unstable();
        meant.sort_unstable();
        if broken != meant {
            surprises.push(format!("{}: meant to break {meant:?}\n{report}", change.what));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
}

#[tokio::test]
async fn what_differs_is_told_with_both_sides() {
    let db = books().await;
    let mut expectations = expectations();
    let stripe = expectations.stripe.as_mut().unwrap();
    stripe.refunds[0].amount = 2_999;
    let report = check(db.pool(), &expectations).await.unwrap().to_string();
    let told =
        format!("refund {} of 30.00 USD is succeeded; at Stripe: re_1 of 29.99 USD, succeeded", text("refund", 1));
    assert!(report.contains(&told), "{report}");
}

#[tokio::test]
async fn without_a_record_or_rest_stripe_is_not_compared() {
    let db = books().await;
    let empty = Some(StripeRecord::default());
    let compared = async |expectations: &Expectations| {
        let report = check(db.pool(), expectations).await.unwrap();
        report.findings.iter().filter(|finding| finding.invariant.name.contains("stripe")).count()
    };
    assert_eq!(compared(&Expectations { stripe: None, ..expectations() }).await, 0);
    assert_eq!(compared(&Expectations { stripe: empty.clone(), ..Expectations::default() }).await, 0);
    assert_eq!(compared(&Expectations { stripe: empty, ..Expectations::settled() }).await, 6);
}

#[test]
fn the_sandboxs_answer_is_read() {
    let answer = r#"{
        "charges": [{"id": "ch_1", "intent": "pi_1", "customer": null, "created": "2026-03-02T15:00:00Z", "amount": 5000, "refunded": 0,
                     "fee": 175, "currency": "usd", "status": "failed", "failure": "card_declined", "metadata": {}}],
        "refunds": [],
        "disputes": [{"id": "du_1", "charge": "ch_1", "intent": "pi_1", "created": "2026-03-02T15:00:00Z", "amount": 5000, "taken": 0,
                      "currency": "usd", "status": "won"}]
    }"#;
    let record: StripeRecord = serde_json::from_str(answer).unwrap();
    assert!(!record.charges[0].paid() && record.charges[0].payment().is_none());
    assert_eq!(record.disputes[0].status, "won");
}
