//! The sandbox over real HTTP.

mod stripe;
mod twilio;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use leadflow_outbound_http::{Answer, Client, FailureKind, Options};
use leadflow_platform::Shutdown;
use leadflow_sandbox::{Config, Listeners};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

struct Sandbox {
    base: String,
    mail: std::net::SocketAddr,
    client: Client,
    stop: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
}

async fn start() -> Sandbox {
    start_with(Config::default()).await
}

async fn start_with(config: Config) -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = Shutdown::new();
    let smtp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail = smtp.local_addr().unwrap();
    // Nobody is at the discard port.
    let config = Config { api_url: "http://127.0.0.1:9".to_owned(), ..config };
    let listeners = Listeners { http: listener, smtp };
    let running = tokio::spawn(leadflow_sandbox::run(config, listeners, stop.clone()));
    let options = Options {
        allow_loopback: true,
        total_timeout: Duration::from_secs(2),
        body_cap: 1 << 20,
        ..Options::default()
    };
    Sandbox { base, mail, client: Client::new(options).unwrap(), stop, running }
}

impl Sandbox {
    async fn call(&self, method: Method, path: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let body = Bytes::from(body.to_owned());
        self.client.send(method, &format!("{}{path}", self.base), headers, body).await.unwrap()
    }

    async fn put(&self, path: &str, body: &Value) -> u16 {
        self.call(Method::PUT, path, &[("content-type", "application/json")], &body.to_string()).await.status
    }

    async fn hook(&self, name: &str, id: &str) -> u16 {
        self.call(Method::POST, &format!("/hooks/{name}"), &[("webhook-id", id)], "{\"a\":1}").await.status
    }

    async fn listing(&self, query: &str) -> Value {
        let answer = self.call(Method::GET, &format!("/api/hooks{query}"), &[], "").await;
        serde_json::from_slice(&answer.body).unwrap()
    }
}

#[tokio::test]
async fn what_arrives_is_listed_counted_and_cleared() {
    let sandbox = start().await;
    assert_eq!(sandbox.hook("crm", "dlv_1").await, 200);
    assert_eq!(sandbox.hook("crm", "dlv_1").await, 200);
    assert_eq!(sandbox.hook("other", "dlv_2").await, 200);
    let listing = sandbox.listing("?name=crm").await;
    assert_eq!(listing["received"].as_array().unwrap().len(), 2);
    assert_eq!(listing["received"][0]["repeated"], true);
    assert_eq!(listing["received"][0]["body"], json!({"a": 1}));
    assert_eq!(listing["counters"]["crm"]["accepted"], 2);
    assert_eq!(listing["counters"]["crm"]["unique"], 1);
    assert_eq!(sandbox.listing("?after=2").await["received"].as_array().unwrap().len(), 1);
    let ids: Value =
        serde_json::from_slice(&sandbox.call(Method::GET, "/api/hooks/crm/ids", &[], "").await.body).unwrap();
    assert_eq!(ids, json!({"dlv_1": {"received": 2, "accepted": 2}}));
    assert_eq!(sandbox.call(Method::DELETE, "/api/hooks", &[], "").await.status, 204);
    assert_eq!(sandbox.listing("").await["counters"]["crm"]["received"], 0);
}

#[tokio::test]
async fn it_misbehaves_as_told() {
    let sandbox = start().await;
    let behave = async |body: Value| sandbox.put("/api/hooks/crm/behaviour", &body).await;
    assert_eq!(behave(json!({"mode": "ok", "failNext": 1, "status": 429, "retryAfter": 7})).await, 200);
    let refused = sandbox.call(Method::POST, "/hooks/crm", &[], "{}").await;
    assert_eq!((refused.status, refused.headers["retry-after"].as_bytes()), (429, b"7".as_slice()));
    assert_eq!(behave(json!({"mode": "fail", "status": 404})).await, 200);
    assert_eq!(sandbox.hook("crm", "a").await, 404);
    assert_eq!(behave(json!({"mode": "slow", "delayMs": 200})).await, 200);
    let slow = sandbox.call(Method::POST, "/hooks/crm", &[], "{}").await;
    assert!(slow.status == 200 && slow.duration >= Duration::from_millis(200));
    assert_eq!(behave(json!({"mode": "hang"})).await, 200);
    let url = format!("{}/hooks/crm", sandbox.base);
    let failure = sandbox.client.post(&url, HeaderMap::new(), Bytes::new()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert_eq!(sandbox.listing("?name=crm").await["received"][0]["status"], Value::Null);
    for bad in [
        json!({"mode": "explode"}),
        json!({"mode": "ok", "status": 99}),
        json!({"mode": "slow", "delayMs": 1e9 as u64}),
    ] {
        assert_eq!(behave(bad).await, 422);
    }
}

#[tokio::test]
async fn a_hanging_request_does_not_hold_up_the_stop() {
    let sandbox = start().await;
    sandbox.put("/api/hooks/crm/behaviour", &json!({"mode": "hang"})).await;
    let (client, url) = (sandbox.client.clone(), format!("{}/hooks/crm", sandbox.base));
    let hanging = tokio::spawn(async move { client.post(&url, HeaderMap::new(), Bytes::new()).await });
    leadflow_testkit::wait::until("the request arrives", Duration::from_secs(5), async || {
        sandbox.listing("?name=crm").await["counters"]["crm"]["received"] == 1
    })
    .await;
    sandbox.stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), sandbox.running).await.unwrap().unwrap().unwrap();
    assert_eq!(hanging.await.unwrap().unwrap().status, 503);
}

#[tokio::test]
async fn signatures_are_judged_once_the_secret_is_known() {
    let sandbox = start().await;
    let send = async |signature: &str| {
        sandbox.call(Method::POST, "/hooks/crm", &[("x-webhook-signature", signature)], "{\"a\":1}").await;
        sandbox.listing("?name=crm&limit=1").await["received"][0]["signature"].clone()
    };
    // printf '{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
    let good = "1c76fbb930d3aa8b1633728fae212c68ca68a6752bb319b98be6fe17e86cf5b8";
    assert_eq!(send(good).await, "unchecked");
    assert_eq!(sandbox.put("/api/hooks/crm/secret", &json!({"secret": "0123456789abcdef"})).await, 204);
    assert_eq!(send(good).await, "valid");
    assert_eq!(send(&good.replace('0', "1")).await, "invalid");
    assert_eq!(sandbox.put("/api/hooks/crm/secret", &json!({"secret": "whsec_???"})).await, 422);
}

#[tokio::test]
async fn the_page_shows_what_arrived_and_runs_nothing_of_it() {
    let sandbox = start().await;
    let empty = sandbox.call(Method::GET, "/", &[], "").await;
    assert!(String::from_utf8_lossy(&empty.body).contains("Nothing has arrived yet"));
    let hostile = r#"{"event":"<script>alert(1)</script>","data":{"leadId":"\"><img src=x>"}}"#;
    sandbox.call(Method::POST, "/hooks/crm", &[("webhook-id", "<b>id</b>")], hostile).await;
    let page = sandbox.call(Method::GET, "/?name=%3Ci%3E", &[], "").await;
    let page_all = sandbox.call(Method::GET, "/", &[], "").await;
    for page in [&page, &page_all] {
        let text = String::from_utf8_lossy(&page.body);
        for markup in ["<script", "<img", "<b>id", "<i>"] {
            assert!(!text.contains(markup), "{markup}");
        }
        assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    assert!(String::from_utf8_lossy(&page_all.body).contains("&lt;script&gt;"));
}

#[tokio::test]
async fn the_pages_buttons_change_a_receivers_manners() {
    let sandbox = start().await;
    let headers =
        HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap())]);
    let body = Bytes::from_static(b"name=crm&mode=fail");
    // The answer sends a browser back to the page, which this client does not follow.
    let answer = sandbox.client.post(&format!("{}/behaviour", sandbox.base), headers, body).await.unwrap_err();
    assert_eq!(answer.status, Some(303));
    assert_eq!(sandbox.listing("").await["behaviours"]["crm"]["mode"], "fail");
}

#[tokio::test]
async fn bad_names_and_unknown_paths_have_error_answers() {
    let sandbox = start().await;
    assert_eq!(sandbox.hook("a%3Cb", "x").await, 422);
    assert_eq!(sandbox.call(Method::GET, "/nothing", &[], "").await.status, 404);
    assert_eq!(sandbox.call(Method::GET, "/healthz", &[], "").await.status, 200);
    assert_eq!(sandbox.call(Method::GET, "/readyz", &[], "").await.status, 200);
}

/// Says each line and gives all answers.
async fn speak(sandbox: &Sandbox, lines: &[&str]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(sandbox.mail).await.unwrap();
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    answers
}

#[tokio::test]
async fn mails_are_taken_shown_and_can_carry_no_markup() {
    let sandbox = start().await;
    let answers = speak(
        &sandbox,
        &[
            "EHLO me",
            "DATA",
            "RCPT TO:<early@example.com>",
            "AUTH PLAIN AGEAYg==",
            "MAIL FROM:<from@example.com>",
            "RCPT TO:<sam@example.com>",
            "DATA",
            "Subject: <b>Hi</b>",
            "",
            "..dots and https://app.example.com/x?token=1",
            ".",
            "NONSENSE",
            "QUIT",
        ],
    )
    .await;
    let codes: Vec<_> = answers.lines().filter(|line| &line[3..4] == " ").map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "503", "503", "235", "250", "250", "354", "250", "502", "221"], "{answers}");
    let answer = sandbox.call(Method::GET, "/api/mails?to=SAM@example.com", &[], "").await;
    let listed: Value = serde_json::from_slice(&answer.body).unwrap();
    let mail = &listed["mails"][0];
    assert_eq!((&mail["from"], &mail["subject"]), (&json!("from@example.com"), &json!("<b>Hi</b>")));
    assert_eq!(mail["links"], json!(["https://app.example.com/x?token=1"]));
    assert!(mail["text"].as_str().unwrap().starts_with(".dots"), "{mail}");
    let page = sandbox.call(Method::GET, "/mails", &[], "").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(page.contains("&lt;b&gt;Hi") && !page.contains("<b>Hi"), "{page}");
    assert_eq!(sandbox.call(Method::DELETE, "/api/mails", &[], "").await.status, 204);
    let answer = sandbox.call(Method::GET, "/api/mails", &[], "").await;
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!({ "mails": [] }));

    let long = "x".repeat(5_000);
    let answers = speak(&sandbox, &["EHLO me", &long, "QUIT"]).await;
    assert!(!answers.contains("221"), "a line without end is cut off: {answers}");
    sandbox.stop.cancel();
    sandbox.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_pages_that_mails_link_to_pass_on_what_is_typed() {
    let sandbox = start().await;
    let page = sandbox.call(Method::GET, "/app/reset-password?token=%22%3Cx", &[], "").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("value=\"&quot;&lt;x\"") && text.contains("type=\"password\""), "{text}");
    assert_eq!(sandbox.call(Method::GET, "/app/nothing", &[], "").await.status, 404);
    // The API is away.
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = sandbox.call(Method::POST, "/app/verify-email", &kind, "token=x").await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn mails_come_through_sendgrids_api_too_and_are_shown_as_people_see_them() {
    let sandbox = start().await;
    let mail = json!({
        "personalizations": [{ "to": [{ "email": "sam@example.com" }], "custom_args": { "message_id": "msg_1" } }],
        "from": { "email": "noreply@leadflow.example", "name": "Acme via LeadFlow" },
        "subject": "A <b>lead</b>",
        "content": [{ "type": "text/plain", "value": "Hi" }, { "type": "text/html", "value": "<script>alert(1)</script><p>Hi</p>" }],
    });
    let (path, body) = ("/sendgrid/v3/mail/send", mail.to_string());
    let (json_type, key) = (("content-type", "application/json"), ("authorization", "Bearer SG.x"));
    let send = async |headers: &[(&'static str, &str)], body: &str| {
        let answer = sandbox.call(Method::POST, path, headers, body).await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, answer.headers, said["errors"][0]["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(send(&[json_type], &body).await.0, 401);
    assert_eq!(send(&[json_type, ("authorization", "Bearer wrong")], &body).await.0, 401);
    assert_eq!(send(&[key, ("content-type", "text/plain")], &body).await.0, 415);
    let (status, _, said) = send(&[json_type, key], "{}").await;
    assert_eq!((status, said.contains("personalizations")), (400, true), "{said}");
    for (mode, status) in [("busy", 429), ("fail", 500), ("revoked", 401)] {
        assert_eq!(sandbox.put("/api/sendgrid/behaviour", &json!({ "mode": mode, "next": 1 })).await, 204);
        assert_eq!(send(&[json_type, key], &body).await.0, status, "{mode}");
    }
    let (status, headers, _) = send(&[json_type, key], &body).await;
    assert_eq!(status, 202);
    let listed = sandbox.call(Method::GET, "/api/mails", &[], "").await;
    let listed: Value = serde_json::from_slice(&listed.body).unwrap();
    assert_eq!(listed["mails"].as_array().unwrap().len(), 1);
    assert_eq!(listed["mails"][0]["providerId"], headers["x-message-id"].to_str().unwrap());
    let page = sandbox.call(Method::GET, "/mails", &[], "").await;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains("<iframe sandbox ") && page.contains("src=\"/mails/1/html\""), "{page}");
    assert!(!page.contains("<b>lead</b>") && !page.contains("<script>"), "{page}");
    // What somebody sent is shown, and may do nothing.
    let shown = sandbox.call(Method::GET, "/mails/1/html", &[], "").await;
    let policy = shown.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.ends_with("sandbox"), "{policy}");
    assert_eq!(sandbox.call(Method::GET, "/mails/2/html", &[], "").await.status, 404);
    // Nobody to tell of it.
    let wanted = json!({ "providerId": headers["x-message-id"].to_str().unwrap(), "event": "bounce" });
    let told = sandbox.call(Method::POST, "/api/sendgrid/events", &[json_type], &wanted.to_string()).await;
    assert_eq!(told.status, 422);
}
