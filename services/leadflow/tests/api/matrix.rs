//! Who may do what: every route of the table, called by nobody, by each role of its tenant and by each role
//! of another tenant on this tenant's ids. A new route needs a line in `examples.rs`.

use std::collections::HashMap;

use http::Method;
use leadflow_bff::http::{Party, Route, Who, routes};
use leadflow_contracts::accounts::{Member, Role};
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    examples::{Own, example},
    world::{PATIENCE, Person, Tenant, World},
};

fn admitted(route: &Route, person: Option<&Person>) -> bool {
    let Some(person) = person else { return matches!(route.who, Who::Public | Who::ApiKey | Who::Provider) };
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
        ("DELETE", "/api/payments/methods") => 5,
        ("DELETE", "/api/notifications/endpoints/{id}") => 5,
        ("DELETE", "/api/buyers/{id}") => 6,
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
    let card = world.card(&tenant.buyer, "pm_card_visa").await;
    let card = card["id"].as_str().unwrap().to_owned();
    let payment = world.top_up(&tenant.buyer, "", &json!({ "amount": 50 })).await.ok(200);
    let payment = payment["paymentId"].as_str().unwrap().to_owned();
    let (spare_seller, _) = world.seller("spare").await;
    let spare_seller = spare_seller.user["sellerId"].as_str().unwrap().to_owned();
    let (assignment, returned) = world.ask_back(&tenant).await;
    let person = json!({ "email": "somebody@example.com" });
    let asked = world.client.post("/api/privacy/erasures", &tenant.seller.token, &person).await.ok(202);
    let erasure = asked["erasure"]["id"].as_str().unwrap().to_owned();
    let secrets = [
        &erasure,
        &assignment,
        &returned,
        &tenant.category,
        &tenant.campaign,
        &tenant.subscription,
        &tenant.supplier,
        &tenant.lead,
        &tenant.seller.email,
        &tenant.buyer.email,
        &card,
        &payment,
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
    // Not before: the preferences' one webhook is tried without one.
    let mut webhook = None;
    for route in in_order(routes()) {
        if webhook.is_none() && route.path.starts_with("/api/notifications/endpoints") {
            webhook = Some(delivered(&world, &tenant).await);
        }
        let (endpoint, delivery) = webhook.clone().unwrap_or_default();
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
                card: &card,
                payment: &payment,
                endpoint: &endpoint,
                delivery: &delivery,
                erasure: &erasure,
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

/// A webhook of the tenant's buyer, and a delivery to it that has ended.
async fn delivered(world: &World, tenant: &Tenant) -> (String, String) {
    let token = world.log_in(&tenant.buyer.email).await.token;
    let hook = json!({ "url": format!("{}/hooks/matrix", world.cluster.http_urls("sandbox")[0]) });
    let made = world.client.post("/api/notifications/endpoints", &token, &hook).await.ok(201);
    world.post_lead(&tenant.api_key, &tenant.campaign, 77).await;
    let delivery = wait::until_some("the lead is delivered", PATIENCE, async || {
        let listed = world.client.get("/api/notifications/deliveries", &token).await.ok(200);
        let ended = listed["deliveries"].as_array()?.iter().find(|delivery| delivery["status"] == "DELIVERED")?;
        Some(ended["id"].as_str()?.to_owned())
    })
    .await;
    (made["endpoint"]["id"].as_str().unwrap().to_owned(), delivery)
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
            || (route.path.starts_with("/api/privacy") && (!route.method.is_safe() || route.path.contains("erasures")))
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
