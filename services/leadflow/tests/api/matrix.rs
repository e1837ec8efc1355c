//! Who may do what: every route of the table, called by nobody, by each role of its tenant and by each role
//! of another tenant on this tenant's ids. A new route needs a line in [`example`].

use std::collections::HashMap;

use http::Method;
use leadflow_bff::http::{Party, Route, Who, routes};
use leadflow_contracts::accounts::{Member, Role};
use serde_json::{Value, json};

use crate::world::{PASSWORD, Person, Tenant, World};

/// A request that its route carries out for those who may.
struct Example {
    path: String,
    body: Option<Value>,
    /// The success's status.
    status: u16,
    /// Whether it names records of the tenant, so that nobody of another one may succeed.
    names_records: bool,
}

fn plain(path: &str, status: u16) -> Example {
    Example { path: path.to_owned(), body: None, status, names_records: false }
}

fn with(path: &str, body: Value, status: u16) -> Example {
    Example { body: Some(body), ..plain(path, status) }
}

fn on_record(path: String, body: Option<Value>, status: u16) -> Example {
    Example { path, body, status, names_records: true }
}

/// Ids of the tenant that are for one request alone.
struct Own<'a> {
    tenant: &'a Tenant,
    buyer_id: &'a str,
    /// The session of whoever the route is tried for.
    session_id: String,
    invitation: &'a str,
    member: &'a str,
    suppliers_invitation: &'a str,
    suppliers_person: &'a str,
    /// What the buyer bought, and asked back.
    assignment: &'a str,
    returned: &'a str,
    /// A tenant that nobody else is tried with.
    spare_seller: &'a str,
    unique: u32,
}

fn example(method: &Method, path: &str, own: &Own<'_>) -> Option<Example> {
    let t = own.tenant;
    let n = own.unique;
    Some(match (method.as_str(), path) {
        ("GET", "/api/openapi.json" | "/api/docs") => plain(path, 200),
        ("POST", "/api/auth/register") => {
            let body = json!({ "email": format!("m{n}@seller.example"), "password": PASSWORD, "name": "M", "role": "SELLER", "companyName": "M" });
            with(path, body, 201)
        }
        ("POST", "/api/auth/login") => with(path, json!({ "email": t.seller.email, "password": PASSWORD }), 200),
        ("GET", "/api/auth/google") => plain(path, 302),
        // Only a browser that has been at Google has what it takes.
        ("GET", "/api/auth/callback/google") => plain(path, 401),
        ("POST", "/api/auth/forgot-password") => with(path, json!({ "email": "nobody@example.com" }), 202),
        // Only somebody with the mail has the token.
        ("POST", "/api/auth/reset-password") => with(path, json!({ "token": "no", "password": PASSWORD }), 404),
        ("POST", "/api/auth/verify-email") => with(path, json!({ "token": "no" }), 404),
        ("GET", "/api/auth/verify-invite") => plain(&format!("{path}?code={}", t.invite_code), 200),
        ("POST", "/api/auth/logout") => plain(path, 204),
        ("GET", "/api/auth/session" | "/api/auth/sessions") => plain(path, 200),
        ("PUT", "/api/auth/profile") => with(path, json!({ "name": "Same" }), 200),
        ("POST", "/api/auth/change-password") => {
            with(path, json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD }), 200)
        }
        ("POST", "/api/auth/send-verification") => plain(path, 202),
        ("DELETE", "/api/auth/sessions") => plain(path, 200),
        ("DELETE", "/api/auth/sessions/{id}") => on_record(format!("/api/auth/sessions/{}", own.session_id), None, 204),
        ("GET", "/api/auth/invite-code" | "/api/events") => plain(path, 200),
        ("POST", "/api/auth/invite-code") => with(path, json!({}), 201),
        ("GET", "/api/team") => plain(path, 200),
        ("POST", "/api/team/invitations") => {
            with(path, json!({ "email": format!("m{n}@invited.example"), "role": "VIEWER" }), 201)
        }
        // Only somebody with the mail has the token.
        ("POST", "/api/team/invitations/accept") => {
            with(path, json!({ "token": "no", "password": PASSWORD, "name": "No" }), 404)
        }
        ("DELETE", "/api/team/invitations/{id}") => {
            on_record(format!("/api/team/invitations/{}", own.invitation), None, 204)
        }
        ("PUT", "/api/team/{id}") => {
            on_record(format!("/api/team/{}", own.member), Some(json!({ "role": "MANAGER" })), 200)
        }
        ("DELETE", "/api/team/{id}") => on_record(format!("/api/team/{}", own.member), None, 204),
        ("POST", "/api/suppliers/{id}/invite") => {
            let body = json!({ "email": format!("s{n}@invited.example") });
            on_record(format!("/api/suppliers/{}/invite", t.supplier), Some(body), 201)
        }
        ("GET", "/api/suppliers/{id}/people") => on_record(format!("/api/suppliers/{}/people", t.supplier), None, 200),
        ("DELETE", "/api/suppliers/{id}/people/{userId}") => {
            on_record(format!("/api/suppliers/{}/people/{}", t.supplier, own.suppliers_person), None, 204)
        }
        ("DELETE", "/api/suppliers/{id}/invitations/{invitationId}") => {
            on_record(format!("/api/suppliers/{}/invitations/{}", t.supplier, own.suppliers_invitation), None, 204)
        }
        ("GET", "/api/audit" | "/api/admin/audit" | "/api/admin/sellers") => plain(path, 200),
        ("GET", "/api/admin/sellers/{id}") => plain(&format!("/api/admin/sellers/{}", own.spare_seller), 200),
        ("GET", "/api/admin/sellers/{id}/usage-terms") => {
            plain(&format!("/api/admin/sellers/{}/usage-terms", own.spare_seller), 200)
        }
        ("PUT", "/api/admin/sellers/{id}/usage-terms") => {
            with(&format!("/api/admin/sellers/{}/usage-terms", own.spare_seller), json!({ "smsMarkupPercent": 5 }), 200)
        }
        ("POST", "/api/admin/sellers/{id}/suspend") => {
            plain(&format!("/api/admin/sellers/{}/suspend", own.spare_seller), 200)
        }
        ("POST", "/api/admin/sellers/{id}/reactivate") => {
            plain(&format!("/api/admin/sellers/{}/reactivate", own.spare_seller), 200)
        }
        ("GET", "/api/categories" | "/api/campaigns" | "/api/buyers" | "/api/suppliers" | "/api/leads") => {
            plain(path, 200)
        }
        ("POST", "/api/categories") => with(path, json!({ "name": format!("Kind {n}"), "fields": [] }), 201),
        ("GET", "/api/categories/{id}") => on_record(format!("/api/categories/{}", t.category), None, 200),
        ("PUT", "/api/categories/{id}") => {
            on_record(format!("/api/categories/{}", t.category), Some(json!({ "name": "Medicare" })), 200)
        }
        // A category that a campaign needs cannot go: whoever may is told so.
        ("DELETE", "/api/categories/{id}") => on_record(format!("/api/categories/{}", t.category), None, 409),
        ("POST", "/api/campaigns") => {
            let body =
                json!({ "categoryId": t.category, "name": "C", "pricePerLead": 1, "distributionLogic": "BROADCAST" });
            on_record(path.to_owned(), Some(body), 201)
        }
        ("GET", "/api/campaigns/{id}") => on_record(format!("/api/campaigns/{}", t.campaign), None, 200),
        ("PUT", "/api/campaigns/{id}") => {
            on_record(format!("/api/campaigns/{}", t.campaign), Some(json!({ "description": "D" })), 200)
        }
        ("DELETE", "/api/campaigns/{id}") => on_record(format!("/api/campaigns/{}", t.campaign), None, 200),
        // The buyer has one already.
        ("POST", "/api/campaigns/subscribe") => {
            on_record(path.to_owned(), Some(json!({ "campaignId": t.campaign })), 409)
        }
        ("PUT", "/api/campaigns/subscribe") => {
            on_record(path.to_owned(), Some(json!({ "subscriptionId": t.subscription, "dailyCap": 5 })), 200)
        }
        ("DELETE", "/api/campaigns/subscribe") => on_record(format!("{path}?id={}", t.subscription), None, 200),
        ("POST", "/api/buyers") => with(path, json!({ "companyName": format!("Buyer {n}") }), 201),
        ("GET", "/api/buyers/{id}") => on_record(format!("/api/buyers/{}", own.buyer_id), None, 200),
        ("PUT", "/api/buyers/{id}") => {
            on_record(format!("/api/buyers/{}", own.buyer_id), Some(json!({ "priority": 7 })), 200)
        }
        ("DELETE", "/api/buyers/{id}") => on_record(format!("/api/buyers/{}", own.buyer_id), None, 200),
        ("POST", "/api/buyers/{id}/credits") => {
            let body = json!({ "amount": 1, "reason": "matrix" });
            on_record(format!("/api/buyers/{}/credits", own.buyer_id), Some(body), 201)
        }
        ("POST", "/api/suppliers") => {
            on_record(path.to_owned(), Some(json!({ "name": format!("S{n}"), "categories": [t.category] })), 201)
        }
        ("GET", "/api/suppliers/{id}") => on_record(format!("/api/suppliers/{}", t.supplier), None, 200),
        ("PUT", "/api/suppliers/{id}") => {
            on_record(format!("/api/suppliers/{}", t.supplier), Some(json!({ "name": "Clicks" })), 200)
        }
        ("DELETE", "/api/suppliers/{id}") => on_record(format!("/api/suppliers/{}", t.supplier), None, 200),
        ("POST", "/api/suppliers/{id}/rotate-key") => {
            on_record(format!("/api/suppliers/{}/rotate-key", t.supplier), Some(json!({})), 200)
        }
        // Judged by the gateway, by key alone: see `keys`.
        ("POST" | "GET", "/api/leads/ingest") | ("GET", "/api/leads/ingest/{id}") => plain(path, 401),
        // It was asked back already: whoever may is told so.
        ("POST", "/api/leads/{id}/return") => {
            on_record(format!("/api/leads/{}/return", own.assignment), Some(json!({ "reason": "wrong_number" })), 409)
        }
        ("GET", "/api/returns") => plain(path, 200),
        ("GET", "/api/returns/{id}") => on_record(format!("/api/returns/{}", own.returned), None, 200),
        ("POST", "/api/returns/{id}/approve") => {
            on_record(format!("/api/returns/{}/approve", own.returned), Some(json!({ "note": "yes" })), 200)
        }
        // It was approved a line before.
        ("POST", "/api/returns/{id}/reject") => {
            on_record(format!("/api/returns/{}/reject", own.returned), Some(json!({ "note": "no" })), 409)
        }
        ("GET", "/api/leads/{id}") => on_record(format!("/api/leads/{}", t.lead), None, 200),
        ("GET", "/api/payments/wallet" | "/api/notifications/preferences" | "/api/reports") => plain(path, 200),
        // There is no webhook to send to: whoever may is told so.
        ("POST", "/api/notifications/preferences/test-webhook") => plain(path, 404),
        ("PUT", "/api/notifications/preferences") => with(path, json!({ "webhookEnabled": false }), 200),
        _ => return None,
    })
}

fn admitted(route: &Route, person: Option<&Person>) -> bool {
    let Some(person) = person else { return matches!(route.who, Who::Public | Who::ApiKey) };
    let role = match person.user["role"].as_str() {
        Some("SELLER") => Role::Seller,
        Some("BUYER") => Role::Buyer,
        Some("SUPPLIER") => Role::Supplier,
        _ => Role::Admin,
    };
    let member = match person.user["member"].as_str() {
        Some("MANAGER") => Member::Manager,
        Some("VIEWER") => Member::Viewer,
        _ => Member::Owner,
    };
    route.who.admits(role, member)
}

/// Deletions come last: what they end is needed before.
fn in_order(mut routes: Vec<Route>) -> Vec<Route> {
    let weight = |route: &Route| match (route.method.as_str(), route.path) {
        ("DELETE", "/api/campaigns/subscribe") => 1,
        ("DELETE", "/api/categories/{id}") => 2,
        ("DELETE", "/api/campaigns/{id}") => 3,
        ("DELETE", "/api/suppliers/{id}") => 4,
        ("DELETE", "/api/buyers/{id}") => 5,
        _ => 0,
    };
    routes.sort_by_key(weight);
    routes
}

/// Somebody who tries every route.
struct Cell {
    who: &'static str,
    /// `None`: nobody is signed in.
    email: Option<String>,
    /// Whether he belongs to the tenant whose ids are named.
    own: bool,
}

/// Of a tenant, those who may less before those who may more, because they may end what is tried.
async fn cells_of(world: &World, tenant: &Tenant, own: bool, names: [&'static str; 5], domain: &str) -> Vec<Cell> {
    let viewer = world.member(&tenant.seller, &format!("viewer@{domain}"), "VIEWER").await;
    let supplier = world.suppliers_person(tenant, &format!("supplier@{domain}")).await;
    let manager = world.member(&tenant.seller, &format!("manager@{domain}"), "MANAGER").await;
    let people = [&viewer, &supplier, &tenant.buyer, &manager, &tenant.seller];
    let cell = |(who, person): (&'static str, &Person)| Cell { who, email: Some(person.email.clone()), own };
    names.into_iter().zip(people).map(cell).collect()
}

/// What some routes end; made anew when one did.
struct Spares {
    invitation: String,
    member: String,
    suppliers_invitation: String,
    suppliers_person: String,
}

impl Spares {
    async fn new(world: &World, tenant: &Tenant, unique: u32) -> Self {
        let id = |person: Person| person.user["id"].as_str().unwrap().to_owned();
        let invite = async |path: &str, body: Value| {
            let answer = world.client.post(path, &tenant.seller.token, &body).await.ok(201);
            answer["invitation"]["id"].as_str().unwrap().to_owned()
        };
        let email = |what: &str| format!("{what}{unique}@spare.example");
        let supplier = format!("/api/suppliers/{}/invite", tenant.supplier);
        Self {
            member: id(world.member(&tenant.seller, &email("member"), "VIEWER").await),
            suppliers_person: id(world.suppliers_person(tenant, &email("person")).await),
            invitation: invite("/api/team/invitations", json!({ "email": email("team"), "role": "VIEWER" })).await,
            suppliers_invitation: invite(&supplier, json!({ "email": email("supplier") })).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_succeed_and_nobody_of_another_tenant() {
    let world = World::start().await;
    let mut tenant = world.tenant("mine").await;
    let other = world.tenant("theirs").await;
    let (spare_seller, _) = world.seller("spare").await;
    let spare_seller = spare_seller.user["sellerId"].as_str().unwrap().to_owned();
    let (assignment, returned) = world.ask_back(&tenant).await;
    let secrets = [
        &assignment,
        &returned,
        &tenant.category,
        &tenant.campaign,
        &tenant.subscription,
        &tenant.supplier,
        &tenant.lead,
        &tenant.seller.email,
        &tenant.buyer.email,
    ]
    .map(String::clone);
    // Those who shall fail come first.
    let mut cells = vec![Cell { who: "nobody", email: None, own: false }];
    let admin = world.admin("ada@platform.example").await;
    cells.push(Cell { who: "administrator", email: Some(admin.email), own: false });
    let names = ["other viewer", "other supplier", "other buyer", "other manager", "other seller"];
    cells.extend(cells_of(&world, &other, false, names, "theirs.example").await);
    cells.extend(
        cells_of(&world, &tenant, true, ["viewer", "supplier", "buyer", "manager", "seller"], "mine.example").await,
    );
    let mut spares = Spares::new(&world, &tenant, 0).await;
    let mut sessions: HashMap<String, Person> = HashMap::new();
    let mut unique = 0;
    let mut problems = Vec::new();
    for route in in_order(routes()) {
        let line = format!("{} {}", route.method, route.path);
        let ends_sessions = route.path.starts_with("/api/auth/");
        for Cell { who, email, own: is_own } in &cells {
            unique += 1;
            if ends_sessions {
                sessions.clear();
                tenant.seller = world.log_in(&tenant.seller.email).await;
            }
            let person = match email {
                Some(email) => match sessions.get(email) {
                    Some(known) => Some(known.clone()),
                    None => {
                        let person = world.log_in(email).await;
                        sessions.insert(email.clone(), person.clone());
                        Some(person)
                    }
                },
                None => None,
            };
            let token = person.as_ref().map_or("", |person| person.token.as_str());
            let victim = if *is_own { person.as_ref().unwrap_or(&tenant.seller) } else { &tenant.seller };
            let own = Own {
                tenant: &tenant,
                buyer_id: tenant.buyer.user["buyerId"].as_str().unwrap(),
                session_id: current_session(&world, victim).await,
                invitation: &spares.invitation,
                member: &spares.member,
                suppliers_invitation: &spares.suppliers_invitation,
                suppliers_person: &spares.suppliers_person,
                assignment: &assignment,
                returned: &returned,
                spare_seller: &spare_seller,
                unique,
            };
            let Some(example) = example(&route.method, route.path, &own) else {
                problems.push(format!("{line}: no example in the matrix"));
                break;
            };
            let answer = world.client.call(route.method.clone(), &example.path, token, example.body.as_ref()).await;
            let status = answer.status.as_u16();
            let may = admitted(&route, person.as_ref());
            let fine = match (may, *is_own || person.is_none() || !example.names_records) {
                (true, true) => status == example.status,
                (true, false) => matches!(status, 404 | 422),
                (false, _) if person.is_none() => status == 401,
                (false, _) => status == 403,
            };
            if !fine {
                problems.push(format!("{line} as {who}: {status} {}", answer.text));
            }
            let tells = route.who != Who::Public && secrets.iter().any(|secret| answer.text.contains(secret));
            // Those who run the platform see every tenant, by their own routes.
            if !is_own && tells && !route.path.starts_with("/api/admin/") {
                problems.push(format!("{line} as {who} tells of the other tenant: {}", answer.text));
            }
            let ends = ["/api/team/", "/api/suppliers/{id}/people/", "/api/suppliers/{id}/invitations/"];
            if status == 204 && ends.iter().any(|start| route.path.starts_with(start)) {
                spares = Spares::new(&world, &tenant, unique).await;
            }
        }
        if ends_sessions {
            sessions.clear();
            tenant.seller = world.log_in(&tenant.seller.email).await;
        }
        if line == "DELETE /api/suppliers/{id}" {
            // Its person tries what is left.
            let path = format!("/api/suppliers/{}", tenant.supplier);
            world.client.put(&path, &tenant.seller.token, &json!({ "status": "ACTIVE" })).await.ok(200);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let parties: Vec<_> = routes().into_iter().filter(|route| matches!(route.who, Who::Only(_))).collect();
    assert!(
        parties.iter().all(|route| matches!(route.who, Who::Only(list) if !list.is_empty() && list.iter().all(known)))
    );
}

/// A party without a cell above would never be tried.
const fn known(party: &Party) -> bool {
    matches!(party, Party::Seller(_) | Party::Buyer | Party::Supplier | Party::Admin)
}

/// Every way a route may be open to a seller's team, and that what changes something is not open to a viewer.
#[test]
fn viewers_change_nothing_and_managers_nothing_that_is_the_owners() {
    for route in routes() {
        let line = format!("{} {}", route.method, route.path);
        let may = |member| matches!(route.who, Who::Only(_)) && route.who.admits(Role::Seller, member);
        assert!(route.method.is_safe() || !may(Member::Viewer), "{line} is open to viewers");
        let is_owners = (route.path.starts_with("/api/team") && !route.method.is_safe() && route.who != Who::Public)
            || route.path == "/api/audit";
        assert_eq!(may(Member::Owner) && !may(Member::Manager), is_owners, "{line}");
    }
}

async fn current_session(world: &World, person: &Person) -> String {
    let listed = world.client.get("/api/auth/sessions", &person.token).await.ok(200);
    let sessions = listed["sessions"].as_array().unwrap();
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_all_that_posting_takes_and_it_sees_its_own_leads_only() {
    let world = World::start().await;
    let (mine, theirs) = (world.tenant("keys").await, world.tenant("others").await);
    let get = async |key: &str| {
        let path = format!("/api/leads/ingest/{}", mine.lead);
        world.client.send(Method::GET, &path, &[("x-api-key", key)], None).await
    };
    assert_eq!(get(&mine.api_key).await.ok(200)["leadId"], mine.lead.as_str());
    assert_eq!(get(&theirs.api_key).await.refused(404), "lead_unknown");
    get("sk_nothing").await.refused(401);
    // A rotated key works at once, and with no overlap the old one ends.
    let path = format!("/api/suppliers/{}/rotate-key", mine.supplier);
    let rotated = world.client.post(&path, &mine.seller.token, &json!({ "overlapSeconds": 0 })).await.ok(200);
    let fresh = rotated["apiKey"].as_str().unwrap();
    leadflow_testkit::wait::until("the old key has ended and the new one works", crate::world::PATIENCE, async || {
        get(&mine.api_key).await.status == 401 && get(fresh).await.status == 200
    })
    .await;
    let shown = world.client.get("/api/suppliers", &mine.seller.token).await.ok(200).to_string();
    assert!(!shown.contains(fresh) && !shown.contains(&mine.api_key), "keys are shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_that_is_served_has_every_route() {
    let world = World::start().await;
    let document = world.client.get("/api/openapi.json", "").await.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut listed = 0;
    for route in routes() {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert!(operation["operationId"].is_string(), "{} {}", route.method, route.path);
        assert_eq!(operation["requestBody"].is_object(), route.takes_body(), "{} {}", route.method, route.path);
        listed += 1;
    }
    let paths = document["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, listed, "the document has what the table has not");
    let page = world.client.get("/api/docs", "").await;
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text.contains("/api/campaigns/subscribe"));
}
