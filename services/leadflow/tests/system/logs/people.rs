//! People who register, mistype, forget, and are invited, by the public API.

use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use super::markers::Markers;
use crate::{
    client::Answer,
    world::{PATIENCE, World},
};

/// The public API, by somebody who is signed in, or by nobody.
pub struct Api<'a> {
    pub world: &'a World,
    pub token: String,
}

impl Api<'_> {
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.world.cluster.http_urls("bff")[0]);
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("x-forwarded-for", "198.51.100.156"), ("user-agent", "Zqbrowser")];
        if !self.token.is_empty() {
            headers.push(("authorization", &bearer));
        }
        self.world.client.send(method, &url, &headers, body).await.unwrap()
    }

    pub async fn post(&self, path: &str, status: u16, body: &Value) -> Value {
        let answer = self.call(Method::POST, path, Some(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        answer.body
    }

    pub async fn put(&self, path: &str, status: u16, body: &Value) -> Value {
        let answer = self.call(Method::PUT, path, Some(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
        answer.body
    }
}

const PASSWORD: &str = "Zqpassword1 by the sea";

/// A seller and a buyer of his, both signed in.
pub struct Pair<'a> {
    pub seller: Api<'a>,
    pub buyer: Api<'a>,
    pub buyer_id: String,
}

/// Registers both, with everything that may go wrong on the way.
pub async fn register<'a>(world: &'a World, markers: &mut Markers) -> Pair<'a> {
    for made_up in [
        "198.51.100.156",
        "Zqbrowser",
        PASSWORD,
        "Zqsellername",
        "zqseller@example.com",
        "zqother@example.com",
        "Zqsellerfirm",
    ] {
        markers.add(made_up);
    }
    let nobody = Api { world, token: String::new() };
    let seller = json!({
        "email": "zqseller@example.com", "password": PASSWORD, "name": "Zqsellername", "role": "SELLER",
        "companyName": "Zqsellerfirm", "phone": format!("+1{}", markers.add("2125559173")),
    });
    let registered = nobody.post("/api/auth/register", 201, &seller).await;
    let invite = markers.add(registered["user"]["inviteCode"].as_str().unwrap());
    nobody.post("/api/auth/register", 409, &seller).await;
    for (field, value) in [("email", "Zqnoaddress"), ("role", "Zqnorole")] {
        let mut wrong = seller.clone();
        wrong["email"] = "zqother@example.com".into();
        wrong[field] = markers.add(value).into();
        nobody.post("/api/auth/register", 422, &wrong).await;
    }
    let seller = sign_in(&nobody, "zqseller@example.com", PASSWORD, markers).await;
    let buyer = json!({
        "email": markers.add("zqbuyer@example.com"), "password": PASSWORD, "name": markers.add("Zqbuyername"),
        "role": "BUYER", "companyName": markers.add("Zqbuyerfirm"), "inviteCode": invite,
    });
    let registered = nobody.post("/api/auth/register", 201, &buyer).await;
    let buyer_id = registered["user"]["buyerId"].as_str().unwrap().to_owned();
    let buyer = sign_in(&nobody, "zqbuyer@example.com", PASSWORD, markers).await;

    let wrong = json!({ "email": "zqbuyer@example.com", "password": markers.add("Zqwrongpassword") });
    nobody.post("/api/auth/login", 401, &wrong).await;
    let unknown = json!({ "email": markers.add("zqnobody@example.com"), "password": PASSWORD });
    nobody.post("/api/auth/login", 401, &unknown).await;
    let change = json!({ "oldPassword": "Zqwrongpassword", "newPassword": PASSWORD });
    buyer.post("/api/auth/change-password", 422, &change).await;
    buyer.put("/api/auth/profile", 422, &json!({ "phone": markers.add("Zqnophone") })).await;
    let profile = json!({ "name": markers.add("Zqrenamed"), "phone": format!("+1{}", markers.add("2125559174")) });
    buyer.put("/api/auth/profile", 200, &profile).await;
    for path in [
        "/api/Zqpath01",
        "/api/leads/Zqpath02",
        "/api/leads?Zqquery01=Zqquery02",
        "/api/auth/verify-invite?code=Zqcode01",
    ] {
        buyer.call(Method::GET, path, None).await;
    }
    for marker in ["Zqpath01", "Zqpath02", "Zqquery01", "Zqquery02", "Zqcode01", "Zqstranger", "Zqrefused"] {
        markers.add(marker);
    }
    let stranger = Api { world, token: "Zqstranger".to_owned() };
    stranger.post("/api/campaigns", 401, &json!({ "name": "Zqrefused" })).await;
    let url = format!("{}/api/auth/login", world.cluster.http_urls("bff")[0]);
    let broken = markers.add("Zqbrokenjson");
    let body = format!("{{\"email\":\"{broken}@example.com\",\"password\":\"{broken}").into();
    let answer = world.client.send_bytes(Method::POST, &url, &[], Some(body)).await.unwrap();
    assert!(answer.status.is_client_error(), "{answer:?}");

    let invitation = json!({ "email": markers.add("zqinvited@example.com"), "role": "VIEWER" });
    seller.post("/api/team/invitations", 201, &invitation).await;
    forgets_his_password(&nobody, markers).await;
    let buyer = sign_in(&nobody, "zqbuyer@example.com", "Zqnewpassword 93", markers).await;
    Pair { seller, buyer, buyer_id }
}

async fn sign_in<'a>(nobody: &Api<'a>, email: &str, password: &str, markers: &mut Markers) -> Api<'a> {
    let answer = nobody.post("/api/auth/login", 200, &json!({ "email": email, "password": password })).await;
    Api { world: nobody.world, token: markers.add(answer["token"].as_str().unwrap()) }
}

/// The buyer has a link sent, and a mail server refuses the first attempt, quoting him.
async fn forgets_his_password(nobody: &Api<'_>, markers: &mut Markers) {
    let sandbox = &nobody.world.cluster.http_urls("sandbox")[0];
    let client = &nobody.world.client;
    let refusing = json!({ "status": 450, "next": 1 });
    let url = format!("{sandbox}/api/mails/behaviour");
    assert_eq!(client.send(Method::PUT, &url, &[], Some(&refusing)).await.unwrap().status, 204);
    for email in ["zqbuyer@example.com", "zqnobody@example.com"] {
        nobody.post("/api/auth/forgot-password", 202, &json!({ "email": email })).await;
    }
    let link = wait::until_some("a link arrives", PATIENCE, async || {
        let url = format!("{sandbox}/api/mails?to=zqbuyer@example.com");
        let mails = client.get(&url, &[]).await.ok()?.body;
        let mail = mails["mails"].as_array()?.iter().find(|mail| mail["subject"] == "Choose a new password")?;
        Some(mail["links"][0].as_str()?.to_owned())
    })
    .await;
    let token = markers.add(link.split_once("token=").unwrap().1);
    let short = json!({ "token": token, "password": "short" });
    nobody.post("/api/auth/reset-password", 422, &short).await;
    let wrong = json!({ "token": markers.add("Zqnotoken"), "password": markers.add("Zqnewpassword 93") });
    nobody.post("/api/auth/reset-password", 404, &wrong).await;
    nobody.post("/api/auth/reset-password", 200, &json!({ "token": token, "password": "Zqnewpassword 93" })).await;
}
