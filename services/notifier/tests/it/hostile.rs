//! Receivers that mean harm: each is refused or cut off, and what was wrong is on record.

use std::time::Duration;

use leadflow_contracts::notifier::Attempt;
use leadflow_kernel::BuyerId;
use leadflow_testkit::hostile::{Hostile, Manner};

use crate::world::{World, code, put};

const REFUSED: &str = "the address is refused: it must not point to ";

/// The first attempt at a receiver, when it is on record, and how its delivery stands then.
async fn attempt(world: &World, url: &str) -> (Attempt, String) {
    let buyer = world.buyer_at(url).await;
    world.sell(&[buyer]).await;
    let mut delivery = world.delivery_when(buyer, "the attempt is recorded", |d| d.attempts_made == 1).await;
    (delivery.attempts.remove(0), delivery.status)
}

#[tokio::test]
async fn what_never_ends_is_cut_off_in_time() {
    let mut world = World::empty().await;
    let timeout = Duration::from_millis(800);
    world.replica(|config| config.timeout = timeout).await;
    for manner in [Manner::Silent, Manner::DrippingHead, Manner::DrippingBody, Manner::EndlessInterim] {
        let server = Hostile::start(manner.clone()).await.unwrap();
        let (attempt, status) = attempt(&world, &server.url("/")).await;
        assert_eq!((attempt.error.as_str(), status.as_str()), ("no complete answer in time", "PENDING"), "{manner:?}");
        assert!(u128::from(attempt.duration_ms) >= timeout.as_millis(), "{manner:?}: {attempt:?}");
        assert_eq!(attempt.response, "", "{manner:?}");
        server.hung_up_on().await;
    }
}

#[tokio::test]
async fn too_much_of_a_body_is_cut_off_and_noted() {
    let world = World::start().await;
    let server = Hostile::start(Manner::EndlessBody).await.unwrap();
    let (attempt, status) = attempt(&world, &server.url("/")).await;
    // It said 200, so it has the lead.
    assert_eq!((attempt.status_code, status.as_str(), attempt.error.as_str()), (200, "DELIVERED", ""));
    assert_eq!(attempt.response.len(), 16 * 1024);
    let note = "the answer was cut off after 16 KiB: no more was read, and the connection was closed";
    assert_eq!(attempt.note, note);
    server.hung_up_on().await;
    assert!(server.written() < 16 << 20, "{} bytes", server.written());
    // One that fits has no note.
    let server = Hostile::start(Manner::answer("HTTP/1.1 200 OK\nContent-Length: 2", b"ok")).await.unwrap();
    assert_eq!(self::attempt(&world, &server.url("/")).await.0.note, "");
}

#[tokio::test]
async fn what_breaks_off_or_is_no_answer_fails_with_its_reason() {
    let world = World::start().await;
    let many: String = (0..200).map(|n| format!("x-{n}: y\n")).collect();
    let answer = |text: &str| Manner::answer(text, b"short");
    let failed = "the connection failed: ";
    for (manner, status, reason) in [
        (Manner::EndlessHeaders, 0, "message head is too large"),
        (Manner::EndlessHeader, 0, "message head is too large"),
        (answer(&format!("HTTP/1.1 200 OK\nContent-Length: 5\n{many}")), 0, "message head is too large"),
        (Manner::EndlessChunks, 200, "chunk extensions over limit"),
        (answer("HTTP/1.1 200 OK\nContent-Length: 100"), 200, "end of file before message length reached"),
        (answer("HTTP/1.1 200 OK\nTransfer-Encoding: chunked"), 200, "Invalid chunk size line: missing size digit"),
        (Manner::Answer(Vec::new()), 0, "connection closed before message completed"),
        (Manner::Answer(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), 0, "invalid HTTP version parsed"),
    ] {
        let server = Hostile::start(manner.clone()).await.unwrap();
        let (attempt, now) = attempt(&world, &server.url("/")).await;
        let seen = (attempt.status_code, attempt.error.as_str(), now.as_str());
        assert_eq!(seen, (status, format!("{failed}{reason}").as_str(), "PENDING"), "{manner:?}");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_kept_as_it_came() {
    let world = World::start().await;
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xec, 0xc1, 1, 1, 0, 0];
    let head = format!("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: {}", packed.len());
    let server = Hostile::start(Manner::answer(&head, &packed)).await.unwrap();
    let (attempt, status) = attempt(&world, &server.url("/")).await;
    assert_eq!((status.as_str(), attempt.response.chars().count()), ("DELIVERED", packed.len()));
}

#[tokio::test]
async fn redirects_lead_nowhere_they_must_not() {
    let world = World::start().await;
    for (location, reason) in [
        ("http://169.254.169.254/latest/meta-data/", "a link-local address"),
        ("http://2852039166/latest/meta-data/", "a link-local address"),
        ("http://[fd00:ec2::254]/latest/", "a private address"),
        ("http://10.0.0.1/", "a private address"),
        ("http://0xa.1/", "a private address"),
        ("http://0300.0250.1/", "a private address"),
        ("//192.168.0.1/", "a private address"),
        ("http://[::ffff:127.0.0.1]/", "an IPv4 address inside an IPv6 address"),
        ("http://0/", "an unspecified address"),
    ] {
        let server = Hostile::start(Manner::redirect(307, location)).await.unwrap();
        let (attempt, _) = attempt(&world, &server.url("/")).await;
        assert_eq!((attempt.status_code, attempt.error), (307, format!("{REFUSED}{reason}")), "{location}");
    }
    let others = [
        (307, "/again", "the redirect was not followed: there are too many"),
        (302, "/", "the redirect was not followed: only 307 and 308 keep the request"),
        (308, "file:///etc/passwd", "the address is refused: it must start with http:// or https://"),
        (
            308,
            "http://metadata.google.internal/",
            "the address is refused: it must not name a host of a private network",
        ),
    ];
    for (status, location, reason) in others {
        let server = Hostile::start(Manner::redirect(status, location)).await.unwrap();
        let (attempt, _) = attempt(&world, &server.url("/")).await;
        assert_eq!((attempt.status_code, attempt.error.as_str()), (u32::from(status), reason), "{location}");
        assert!(server.requests().len() <= 4, "{location}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_notation_when_saved_and_when_called() {
    let mut world = World::empty().await;
    world.replica(|config| config.allow_loopback = false).await;
    let server = Hostile::start(Manner::Silent).await.unwrap();
    for (host, reason) in [
        ("127.0.0.1", "a loopback address"),
        ("2130706433", "a loopback address"),
        ("0177.0.0.1", "a loopback address"),
        ("0x7f.1", "a loopback address"),
        ("[::1]", "a loopback address"),
        ("[::ffff:127.0.0.1]", "an IPv4 address inside an IPv6 address"),
        ("[64:ff9b::7f00:1]", "an IPv4 address inside an IPv6 address"),
    ] {
        let url = format!("http://{host}:{}/", server.port());
        let refused = world.client().put_endpoint(world.call(put(BuyerId::new(), &url))).await;
        assert_eq!(code(refused), "url_private_address", "{host}");
        // One that came into the table all the same is refused again when it is called.
        let buyer = world.buyer_at("https://203.0.114.1/").await;
        sqlx::query("UPDATE notifier.endpoints SET url = $1 WHERE buyer_id = $2")
            .bind(&url)
            .bind(uuid::Uuid::from(buyer))
            .execute(world.db.pool())
            .await
            .unwrap();
        world.sell(&[buyer]).await;
        let failed = world.delivery_when(buyer, "the refusal is recorded", |d| d.attempts_made == 1).await;
        assert_eq!(failed.attempts[0].error, format!("{REFUSED}{reason}"), "{host}");
    }
    assert_eq!(server.connections(), 0);
}
