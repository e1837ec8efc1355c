//! A sandbox that is started again.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_sandbox::{
    Config,
    stripe::{Core, Params, Settings},
};
use leadflow_testkit::TempDir;
use serde_json::{Value, json};

use super::{payment, text};
use crate::start_with;

#[tokio::test]
async fn it_knows_its_customers_charges_and_keys_again() {
    let folder = TempDir::new("sandbox-stripe").unwrap();
    let file = folder.path().join("deep/stripe.jsonl");
    let config = Config { stripe_file: Some(file.to_str().unwrap().to_owned()), ..Config::default() };
    let sandbox = start_with(config.clone()).await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    let first = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    let record = sandbox.record().await;
    // Killed, in the middle of a line.
    sandbox.running.abort();
    let mut text_of_file = std::fs::read_to_string(&file).unwrap();
    assert!(text_of_file.ends_with('\n'));
    text_of_file.push_str("{\"t\":\"charge\",\"s\":9");
    std::fs::write(&file, text_of_file).unwrap();

    let sandbox = start_with(config.clone()).await;
    assert_eq!(sandbox.record().await, record);
    let again = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!((again.body, again.headers["idempotent-replayed"].to_str().unwrap()), (first.body, "true"));
    let paid = sandbox.make("payment_intents", &form).await;
    assert_eq!(sandbox.record().await["charges"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.look("events?limit=100").await["data"].as_array().unwrap().len(), 8);
    sandbox.stop.cancel();
    sandbox.running.await.unwrap().unwrap();

    let sandbox = start_with(config.clone()).await;
    assert_eq!(sandbox.look(&format!("payment_intents/{}", text(&paid["id"]))).await, paid);
    sandbox.stop.cancel();
    sandbox.running.await.unwrap().unwrap();
    // What is no file of ours is not overwritten.
    std::fs::write(&file, "precious\n").unwrap();
    let sandbox = start_with(config).await;
    let error = sandbox.running.await.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("delete it"), "{error:#}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious\n");
}

fn core(settings: Settings) -> (Core, DateTime<Utc>) {
    (Core::new(settings), DateTime::from_timestamp(1_800_000_000, 0).unwrap())
}

#[test]
fn a_core_is_bounded_and_its_changes_make_another_like_it() {
    let (mut core, now) = core(Settings { max_objects: 3, max_events: 4, ..Settings::default() });
    let mut copy = Core::new(Settings::default());
    let follow = |core: &mut Core, copy: &mut Core| {
        for change in core.changes() {
            let line = serde_json::to_string(&change).unwrap();
            copy.restore(&serde_json::from_str(&line).unwrap()).unwrap();
        }
    };
    let email = Params::from_json(&json!({"email": "bea@buyer.example"}));
    for _ in 0..3 {
        core.create_customer(&email, now).unwrap();
        follow(&mut core, &mut copy);
    }
    assert_eq!(core.create_customer(&email, now).unwrap_err().status(), 429);
    for _ in 0..3 {
        core.create_setup_intent(&Params::default(), now).unwrap();
    }
    follow(&mut core, &mut copy);
    let all = Params::from_json(&json!({"limit": 100}));
    assert_eq!(core.list_events(&all).unwrap()["data"].as_array().unwrap().len(), 4);
    assert_eq!(copy.list_events(&all).unwrap(), core.list_events(&all).unwrap());
    assert_eq!(copy.list_customers(&all).unwrap(), core.list_customers(&all).unwrap());
    assert_eq!(copy.list_setup_intents(&all).unwrap(), core.list_setup_intents(&all).unwrap());
    assert_eq!(core.changes(), []);
    assert_eq!(copy.dump(), core.dump(), "the next ids are the same, too");
}

#[test]
fn refunds_of_some_cards_go_on_by_themselves() {
    let (mut core, now) = core(Settings::default());
    let refund = |core: &mut Core, card: &str| -> String {
        let params =
            json!({"amount": 5_000, "currency": "eur", "payment_method": card, "confirm": true, "off_session": true});
        let intent = core.create_payment_intent(&Params::from_json(&params), now).unwrap();
        let params = Params::from_json(&json!({"payment_intent": intent["id"]}));
        text(&core.create_refund(&params, now).unwrap()["id"])
    };
    let (late, failing) = (refund(&mut core, "pm_card_pendingRefund"), refund(&mut core, "pm_card_refundFail"));
    let status = |core: &Core, id: &str| -> Value { core.refund(id).unwrap()["status"].clone() };
    assert_eq!((status(&core, &late), status(&core, &failing)), (json!("pending"), json!("succeeded")));
    core.advance(now + TimeDelta::seconds(10));
    assert_eq!((status(&core, &late), status(&core, &failing)), (json!("succeeded"), json!("failed")));
    assert_eq!(core.record().charges[1].refunded, 0);
}
