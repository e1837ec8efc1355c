//! What the library that receivers use says to our signatures: the one of the Standard Webhooks project, in Python.
//! `make webhook-check` installs it.

use std::{
    collections::HashMap,
    env,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use leadflow_contracts::notifier::{EndpointFormat, PutEndpointRequest};
use leadflow_kernel::{BuyerId, Clock as _, ManualClock, SystemClock};
use serde_json::{Value, json};

use crate::{
    receiver::{Got, Receiver},
    world::{SECRET, World, put},
};

const PLAIN: &str = "a secret of plain text";

/// What it says to each.
fn said(webhooks: &[Value]) -> Option<Vec<Result<Value, String>>> {
    let Some(python) = env::var_os("LEADFLOW_STANDARD_WEBHOOKS") else {
        eprintln!("the library of Standard Webhooks was not asked: LEADFLOW_STANDARD_WEBHOOKS is not set");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/standardwebhooks/verify.py");
    let mut asked =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("its Python");
    asked.stdin.take().unwrap().write_all(&serde_json::to_vec(webhooks).unwrap()).unwrap();
    let output = asked.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), webhooks.len());
    let answer = |answer: Value| match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer["data"].clone()),
    };
    Some(answers.into_iter().map(answer).collect())
}

fn webhook(got: &Got, secret: &str) -> Value {
    let headers: HashMap<&str, &str> =
        got.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    json!({ "secret": secret, "headers": headers, "body": String::from_utf8_lossy(&got.body) })
}

fn with(mut webhook: Value, pointer: &str, value: &str) -> Value {
    *webhook.pointer_mut(pointer).unwrap() = value.into();
    webhook
}

#[tokio::test]
async fn webhooks_verify_with_an_independent_library() {
    let mut world = World::empty().await;
    // It looks at the clock of the machine: the first is sent ten minutes ago, the next now, the last in ten minutes.
    let minutes = 10;
    world.clock = ManualClock::at(SystemClock.now() - chrono::TimeDelta::minutes(minutes));
    world.replica(|_| {}).await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let id = world.endpoint(buyer).await.endpoint_id;
    let old = sell_one(&world, &receiver, buyer, 1).await;
    world.advance(minutes * 60);
    let usual = sell_one(&world, &receiver, buyer, 2).await;
    let newer = world.rotate_secret(buyer, &id, "").await.secret;
    let rotated = sell_one(&world, &receiver, buyer, 3).await;
    let format = EndpointFormat {
        body_template: "{\"mail\": {{ lead.email }}, \"name\": \"Jörg, {{ lead.firstName }}\"}".into(),
        ..EndpointFormat::default()
    };
    let formed = PutEndpointRequest { secret: PLAIN.into(), format: Some(format), ..put(buyer, &receiver.url) };
    world.client().put_endpoint(world.call(formed)).await.unwrap();
    let formed = sell_one(&world, &receiver, buyer, 4).await;
    world.advance(minutes * 60);
    let early = sell_one(&world, &receiver, buyer, 5).await;

    let body = |got: &Got| serde_json::from_slice::<Value>(&got.body).unwrap();
    let unsigned = Err("No matching signature found".to_owned());
    let good = webhook(&usual, SECRET);
    let expected = [
        (good.clone(), Ok(body(&usual))),
        (webhook(&usual, &newer), unsigned.clone()),
        (with(good.clone(), "/body", &good["body"].as_str().unwrap().replace("25", "26")), unsigned.clone()),
        (with(good.clone(), "/body", &format!("{} ", good["body"].as_str().unwrap())), unsigned.clone()),
        (with(good.clone(), "/headers/webhook-id", &old.id()), unsigned.clone()),
        (with(good.clone(), "/headers/webhook-signature", old.header("webhook-signature")), unsigned.clone()),
        // While both secrets are good.
        (webhook(&rotated, &newer), Ok(body(&rotated))),
        (webhook(&rotated, SECRET), Ok(body(&rotated))),
        (webhook(&rotated, "another secret altogether"), unsigned.clone()),
        // A body of the receiver's own form, and a secret that was set anew: the one before is good no more.
        (webhook(&formed, PLAIN), Ok(json!({ "mail": "john@example.com", "name": "Jörg, John" }))),
        (webhook(&formed, &newer), unsigned),
        // Replays.
        (webhook(&old, SECRET), Err("Message timestamp too old".to_owned())),
        (webhook(&early, PLAIN), Err("Message timestamp too new".to_owned())),
        (
            with(webhook(&old, SECRET), "/headers/webhook-timestamp", usual.header("webhook-timestamp")),
            Err("No matching signature found".to_owned()),
        ),
    ];
    assert_eq!(rotated.header("webhook-signature").split(' ').count(), 2);
    let (webhooks, expected): (Vec<Value>, Vec<Result<Value, String>>) = expected.into_iter().unzip();
    if let Some(said) = said(&webhooks) {
        assert_eq!(said, expected);
    }
}

/// Sells one and gives what arrived, the `number`th in all.
async fn sell_one(world: &World, receiver: &Receiver, buyer: BuyerId, number: usize) -> Got {
    world.sell(&[buyer]).await;
    // Recorded, so that no lease ends when the clock goes on.
    world.all_delivered(number as i64).await;
    receiver.got().remove(number - 1)
}
