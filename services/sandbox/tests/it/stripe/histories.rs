//! Thousands of histories of the machine alone: whatever happens, its own books agree.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use leadflow_sandbox::stripe::{Call, Core, Method, Params, Settings};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
enum Step {
    Pay { card: usize, amount: i64, key: u8 },
    Refund { of: usize, amount: i64, key: u8 },
    FailRefund(usize),
    Dispute { of: usize, amount: i64 },
    Close { of: usize, won: bool },
    Wait(i64),
}

const CARDS: [&str; 7] = [
    "visa",
    "chargeDeclined",
    "createDispute",
    "refundFail",
    "pendingRefund",
    "authenticationRequired",
    "chargeCustomerFail",
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CARDS.len(), 50..9_999_i64, any::<u8>()).prop_map(|(card, amount, key)| Step::Pay { card, amount, key }),
        4 => (0..9_usize, 1..9_999_i64, any::<u8>()).prop_map(|(of, amount, key)| Step::Refund { of, amount, key }),
        1 => (0..9_usize).prop_map(Step::FailRefund),
        2 => (0..9_usize, 1..9_999_i64).prop_map(|(of, amount)| Step::Dispute { of, amount }),
        1 => (0..9_usize, any::<bool>()).prop_map(|(of, won)| Step::Close { of, won }),
        1 => (0..15_i64).prop_map(Step::Wait),
    ]
}

fn post(core: &mut Core, path: &str, params: &Value, key: &str, now: DateTime<chrono::Utc>) -> (u16, Value) {
    let params = Params::from_json(params);
    let answer = core.call(&Call { method: Method::Post, path, params: &params, key: Some(key) }, now);
    (answer.status, answer.body)
}

fn picked<T: Clone>(of: &[T], at: usize) -> Option<T> {
    (!of.is_empty()).then(|| of[at % of.len()].clone())
}

fn run(steps: &[Step]) -> Core {
    let mut core = Core::new(Settings::default());
    let mut now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut answered = BTreeMap::new();
    for step in steps {
        let record = core.record();
        match step {
            Step::Pay { card, amount, key } => {
                let params = json!({
                    "amount": amount, "currency": "eur", "payment_method": format!("pm_card_{}", CARDS[*card]),
                    "confirm": true, "off_session": true, "metadata": {"key": key}
                });
                let answer = post(&mut core, "payment_intents", &params, &format!("pay{key}"), now);
                let first = answered.entry((format!("pay{key}"), params.to_string())).or_insert_with(|| answer.clone());
                assert_eq!(*first, answer, "the same call has the same answer");
            }
            Step::Refund { of, amount, key } => {
                let Some(charge) = picked(&record.charges, *of) else { continue };
                post(&mut core, "refunds", &json!({"charge": charge.id, "amount": amount}), &format!("re{key}"), now);
            }
            Step::FailRefund(of) => {
                let Some(refund) = picked(&record.refunds, *of) else { continue };
                let _ = core.fail_refund(&refund.id, None, now);
            }
            Step::Dispute { of, amount } => {
                let Some(charge) = picked(&record.charges, *of) else { continue };
                let _ = core.dispute(&charge.id, Some(*amount), "fraudulent", now);
            }
            Step::Close { of, won } => {
                let Some(dispute) = picked(&record.disputes, *of) else { continue };
                let _ = core.close_dispute(&dispute.id, *won, now);
            }
            Step::Wait(seconds) => now += TimeDelta::seconds(*seconds),
        }
    }
    core.advance(now);
    core
}

fn all(core: &Core) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let after = rows.last().map(|row| row["id"].clone()).unwrap_or_default();
        let page = core
            .list_balance_transactions(&Params::from_json(&json!({"limit": 100, "starting_after": after})))
            .unwrap();
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return rows;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_record_and_the_balance_agree(steps in vec(step(), 1..40)) {
        let core = run(&steps);
        let record = core.record();
        let paid: i64 = record.charges.iter().filter(|it| it.status == "succeeded").map(|it| it.amount).sum();
        let back: i64 = record.refunds.iter().filter(|it| it.status != "failed").map(|it| it.amount).sum();
        let taken: i64 = record.disputes.iter().map(|it| it.taken).sum();
        let balance: i64 = all(&core).iter().map(|it| it["amount"].as_i64().unwrap()).sum();
        prop_assert_eq!(balance, paid - back - taken);
        for charge in &record.charges {
            let of = |it: &str| it == charge.id;
            let given: i64 = record.refunds.iter().filter(|it| of(&it.charge) && it.status != "failed").map(|it| it.amount).sum();
            prop_assert_eq!(charge.refunded, given);
            prop_assert!((0..=charge.amount).contains(&given));
            prop_assert!(record.disputes.iter().filter(|it| of(&it.charge)).count() <= 1);
        }
        // And another one that reads its changes is like it.
        let mut copy = Core::new(Settings { seed: "other".to_owned(), ..Settings::default() });
        for change in core.dump() {
            copy.restore(&change).unwrap();
        }
        prop_assert_eq!(copy.record(), record);
        prop_assert_eq!(copy.dump(), core.dump());
    }
}
