//! What callers send is never logged.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use leadflow_testkit::wait;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    client,
    world::{JSON, KEY, PATIENCE, World, body},
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// One thread, so that the subscriber of this test hears everything the gateway says.
#[tokio::test(flavor = "current_thread")]
async fn no_line_repeats_a_key_or_anything_of_a_lead() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new("leadflow_ingest=trace,leadflow_platform=trace,leadflow_messaging=trace"))
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut world = World::with(|config| config.ack_timeout = Duration::from_millis(200), true).await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "secret-order")];
    let lead = body(world.tenant.campaign, "Secretson", r#""reference":"secret-reference","#);
    let posted = async || world.post_with(&keyed, &lead).await.status == 201;
    wait::until("the lead is acknowledged in so short a time", PATIENCE, posted).await;
    assert_eq!(world.post_with(&keyed, &world.lead("Secretsdottir")).await.status, 409);
    assert_eq!(world.post(&lead.replace("+1234567890", "secret-phone")).await.status, 422);
    assert_eq!(world.post(&lead.replace("}}", "}")).await.status, 400);
    world.fake.set_down(true);
    let path = "/api/leads/ingest?reference=secret-look-up";
    assert_eq!(world.get(path, &[("X-API-Key", KEY)]).await.status, 503);
    world.proxy.blackhole();
    let stalled = world.post(&world.lead("Secretbody")).await;
    assert_eq!(stalled.status, 503);
    world.nats.kill9();
    let request = client::request("POST /api/leads/ingest", &keyed, Some(b"{\"secret-half"));
    assert_eq!(client::send(world.addr, &request).await.status, 400);

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap().to_lowercase();
    assert!(text.contains("a lead may not be stored"), "the test hears the gateway: {text}");
    for secret in [KEY, "secret", "john", "+1234567890"] {
        assert!(!text.contains(&secret.to_lowercase()), "{secret} in {text}");
    }
}
