//! Signing in by Google, as a browser goes through it; the sandbox stands in for Google.

use http::Method;
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::{
    client::{Answer, Client},
    world::{Person, World},
};

const ROUTE: &str = "/api/auth/google";
const CALLBACK: &str = "/api/auth/callback/google";

/// The cookie of this name that an answer sets.
fn cookie(answer: &Answer, name: &str) -> String {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let mut pairs = set.map(|cookie| cookie.split(';').next().unwrap());
    pairs.rfind(|pair| pair.starts_with(&format!("{name}="))).expect("a cookie").to_owned()
}

fn location(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

struct Browser<'a> {
    bff: &'a Client,
    google: Client,
}

impl Browser<'_> {
    async fn begin(&self, query: &str) -> (Url, String) {
        let answer = self.bff.get(&format!("{ROUTE}{query}"), "").await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        let kept = answer.headers["set-cookie"].to_str().unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/api/auth/callback/google"] {
            assert!(kept.contains(part), "{kept}");
        }
        (location(&answer).parse().unwrap(), cookie(&answer, "leadflow_google"))
    }

    /// Says at Google who he is, and gives the way back.
    async fn say(&self, page: &Url, said: &[(&str, &str)]) -> String {
        let path = format!("{}?{}", page.path(), page.query().unwrap());
        let shown = self.google.send(Method::GET, &path, &[], None).await;
        assert!(shown.status == 200 && shown.text.contains("Who are you?"), "{}", shown.text);
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(page.query_pairs())
            .extend_pairs(said)
            .finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.google.send(Method::POST, page.path(), &kind, Some(form.into())).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let back: Url = location(&answer).parse().unwrap();
        assert!(back.as_str().starts_with("http://localhost:3000/api/auth/callback/google?"), "{back}");
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    async fn back(&self, path: &str, cookie: &str, accept: &str) -> Answer {
        self.bff.send(Method::GET, path, &[("cookie", cookie), ("accept", accept)], None).await
    }

    async fn sign_in(&self, query: &str, email: &str) -> Answer {
        let (page, cookie) = self.begin(query).await;
        let said = [("email", email), ("name", "Jane Doe"), ("verified", "on"), ("hosted", "on")];
        let back = self.say(&page, &said).await;
        self.back(&back, &cookie, "application/json").await
    }

    /// The session's user, after the last redirect.
    async fn user(&self, answer: &Answer) -> Person {
        assert_eq!(answer.status, 302, "{}", answer.text);
        let session = cookie(answer, "leadflow_session");
        assert_eq!(cookie(answer, "leadflow_google"), "leadflow_google=", "used up");
        let headers = [("cookie", session.as_str())];
        let user = self.bff.send(Method::GET, "/api/auth/session", &headers, None).await.ok(200)["user"].clone();
        let email = user["email"].as_str().unwrap().to_owned();
        Person { email, token: session.split_once('=').unwrap().1.to_owned(), user }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_and_his_buyer_come_by_google_and_come_again() {
    let world = World::start().await;
    let browser =
        Browser { bff: &world.client, google: Client::without_document(&world.cluster.http_urls("sandbox")[0]) };
    let answer =
        browser.sign_in("?role=SELLER&companyName=Jane%20Ltd&returnTo=/start?a=b", "jane@seller.example").await;
    assert_eq!(location(&answer), "/start?a=b");
    let seller = browser.user(&answer).await;
    assert_eq!((&seller.user["role"], &seller.user["companyName"]), (&json!("SELLER"), &json!("Jane Ltd")));
    assert_eq!(seller.user["emailVerified"], true);
    let code = world.client.get("/api/auth/invite-code", &seller.token).await.ok(200);
    let code = code["inviteCode"].as_str().unwrap();

    let answer = browser.sign_in(&format!("?inviteCode={code}"), "joe@buyer.example").await;
    assert_eq!(location(&answer), "/");
    let buyer = browser.user(&answer).await;
    assert_eq!((&buyer.user["role"], &buyer.user["sellerId"]), (&json!("BUYER"), &seller.user["sellerId"]));
    let again = browser.user(&browser.sign_in("", "joe@buyer.example").await).await;
    assert_eq!(again.user["id"], buyer.user["id"]);
    let listed = world.client.get("/api/buyers", &seller.token).await.ok(200);
    assert_eq!(listed["buyers"][0]["user"]["email"], "joe@buyer.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_get_in_is_told_why() {
    let world = World::start().await;
    let browser =
        Browser { bff: &world.client, google: Client::without_document(&world.cluster.http_urls("sandbox")[0]) };
    for (query, status, code) in [
        ("?role=SELLER", 422, "validation_failed"),
        ("?role=BUYER", 422, "validation_failed"),
        ("?role=SELLER&companyName=J&timeZone=Mars", 422, "validation_failed"),
        ("?role=ADMIN", 400, "query_invalid"),
        ("?inviteCode=NOSUCHCODE", 404, "invite_not_found"),
        ("?returnTo=https://evil.example", 400, "query_invalid"),
        ("?returnTo=//evil.example", 400, "query_invalid"),
        ("?returnTo=/%09/evil.example", 400, "query_invalid"),
    ] {
        assert_eq!(browser.bff.get(&format!("{ROUTE}{query}"), "").await.refused(status), code, "{query}");
    }
    let jane = [("email", "jane@seller.example"), ("name", "Jane Doe"), ("verified", "on"), ("hosted", "on")];
    let unverified = [("email", "jane@seller.example"), ("name", "Jane Doe")];
    let (page, cookie) = browser.begin("").await;
    let way = browser.say(&page, &jane).await;
    // In another browser, and in none.
    let (_, other) = browser.begin("").await;
    for cookie in [other.as_str(), ""] {
        assert_eq!(browser.back(&way, cookie, "*/*").await.refused(401), "google_state_unknown");
    }
    assert_eq!(browser.back(&way, &cookie, "*/*").await.refused(404), "google_account_unknown");
    assert_eq!(browser.back(&way, &cookie, "*/*").await.refused(401), "google_state_unknown");
    assert_eq!(browser.back(CALLBACK, &cookie, "*/*").await.refused(401), "google_state_unknown");
    for (said, status, code) in
        [(&unverified[..], 403, "google_email_unverified"), (&[("cancel", "on")][..], 403, "google_denied")]
    {
        let (page, cookie) = browser.begin("").await;
        let way = browser.say(&page, said).await;
        assert_eq!(browser.back(&way, &cookie, "application/json").await.refused(status), code);
    }
    // Somebody with this address is there, and nobody has shown that it is his.
    world.seller("trap").await;
    let met = browser.sign_in("", "TRAP@seller.example").await;
    assert!(!met.headers.contains_key("set-cookie"));
    assert_eq!(met.refused(409), "google_account_unlinked");
    // A person sees a page.
    let shown = browser.back(&way, &cookie, "text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!(shown.status, 401);
    assert!(shown.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(shown.text.contains("begin again") && shown.text.contains("google_state_unknown"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_set_up_it_is_not_there() {
    let world = World::with(&[("GOOGLE_CLIENT_ID", ""), ("GOOGLE_CLIENT_SECRET", "")]).await;
    for path in [ROUTE, CALLBACK] {
        assert_eq!(world.client.get(path, "").await.refused(404), "google_not_configured", "{path}");
    }
}
