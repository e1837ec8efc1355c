//! What a mail's own headers say to mail programs does what they say (RFC 8058).

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{PATIENCE, World};

/// Where people's browsers and mail programs would find the API.
const OUTSIDE: &str = "https://leads.example.com";

type Mails = Arc<Mutex<Vec<Value>>>;

async fn take(State(mails): State<Mails>, Json(mail): Json<Value>) -> StatusCode {
    mails.lock().unwrap().push(mail);
    StatusCode::ACCEPTED
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_program_ends_such_mails_with_what_the_mail_says() {
    let mails = Mails::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v3/mail/send", post(take)).with_state(mails.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let world = World::with(&[
        ("EMAIL_PROVIDER", "sendgrid"),
        ("SENDGRID_API_BASE", &provider),
        ("SENDGRID_API_KEY", "SG.test"),
        ("SENDGRID_FROM_EMAIL", "noreply@leadflow.example"),
        ("BFF_PUBLIC_URL", OUTSIDE),
    ])
    .await;
    let tenant = world.tenant("headers").await;
    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    wait::until("notifier knows how the buyer is reached", PATIENCE, async || {
        let known = "SELECT count(*) FROM notifier.buyers WHERE email <> ''";
        sqlx::query_scalar::<_, i64>(known).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
    world.post_lead(&tenant.api_key, &tenant.campaign, 2).await;
    let mail = wait::until_some("a mail of the lead", PATIENCE, async || {
        let mails = mails.lock().unwrap();
        mails.iter().find(|mail| mail["categories"][1] == "lead_assigned").cloned()
    })
    .await;
    let headers = &mail["headers"];
    assert_eq!(headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    let link = headers["List-Unsubscribe"].as_str().unwrap();
    let link = link.strip_prefix('<').and_then(|link| link.strip_suffix('>')).unwrap();
    let path = link.strip_prefix(OUTSIDE).unwrap();

    // As the mail program's servers do it: the form, no cookie, no session, from nowhere in particular.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ended = world.client.send(Method::POST, path, &form, Some("List-Unsubscribe=One-Click".into())).await.ok(200);
    assert_eq!(ended["kind"], "LEAD_ASSIGNED");
    let shown = world.client.get("/api/notifications/preferences", &tenant.buyer.token).await.ok(200);
    let wishes = &shown["preferences"];
    assert_eq!((&wishes["emailOnLead"], &wishes["emailOnReturn"]), (&json!(false), &json!(true)));
    // What people must be sent has no such header.
    let access = mails.lock().unwrap().iter().find(|mail| mail["categories"][1] == "verify_email").cloned().unwrap();
    assert_eq!(access["headers"], json!({ "Auto-Submitted": "auto-generated" }));
}
