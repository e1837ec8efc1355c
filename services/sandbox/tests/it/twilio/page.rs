//! The page that shows messages as they are on a phone.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::{OURS, PERSON, start};
use crate::Sandbox;

async fn page(sandbox: &Sandbox, path: &str) -> String {
    let answer = sandbox.call(Method::GET, path, &[], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Presses a button. Where the browser is sent then is not followed.
async fn press(sandbox: &Sandbox, path: &str, body: &'static str) -> u16 {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let url = format!("{}{path}", sandbox.base);
    match sandbox.client.post(&url, headers, Bytes::from_static(body.as_bytes())).await {
        Ok(answer) => answer.status,
        Err(failure) => failure.status.unwrap(),
    }
}

#[tokio::test]
async fn it_shows_phones_and_no_message_is_markup() {
    let sandbox = start().await;
    assert!(page(&sandbox, "/texts").await.contains("Nothing has arrived yet"));
    let hostile = "<script>alert(1)</script>\u{202e}<img src=x>";
    assert_eq!(sandbox.text(&[("Body", hostile)]).await.0, 201);
    assert_eq!(sandbox.text(&[("To", "+12125550124"), ("Body", "to somebody else")]).await.0, 201);
    sandbox.writes("<b>+1</b>", hostile).await;
    let all = page(&sandbox, "/texts").await;
    for markup in ["<script", "<img", "<b>+1"] {
        assert!(!all.contains(markup), "{markup}");
    }
    assert_eq!(all.matches("<section class=\"phone\">").count(), 3);
    assert!(all.contains("&lt;script&gt;") && all.contains("1 segment, UCS-2"), "{all}");
    let one = page(&sandbox, "/texts?number=%2B12125550124").await;
    assert!(one.contains("to somebody else") && !one.contains("&lt;script&gt;"), "{one}");
    assert!(!one.contains("http-equiv"), "what is typed must not be lost");
}

#[tokio::test]
async fn its_buttons_are_what_people_and_networks_do() {
    let sandbox = start().await;
    let sid = sandbox.text(&[]).await.1["sid"].as_str().unwrap().to_owned();
    assert_eq!(press(&sandbox, "/texts/answer", "from=%2B12125550123&to=%2B15005550006&body=STOP").await, 303);
    assert!(page(&sandbox, "/texts").await.contains("said STOP"));
    assert_eq!(sandbox.text(&[]).await.0, 400, "{OURS} is stopped for {PERSON}");
    assert_eq!(press(&sandbox, "/texts/answer", "from=%2B12125550123&to=%2B1999&body=STOP").await, 422);
    let body: &'static str = format!("sid={sid}").leak();
    assert_eq!(press(&sandbox, "/texts/status", body).await, 303);
    assert!(page(&sandbox, "/texts").await.contains("undelivered 30003"));
}
