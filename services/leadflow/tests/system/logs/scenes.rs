//! A market in which everything goes by that may hold a person's data: sold, refused, repeated, broken, and told to who says it again.

use bytes::Bytes;
use http::Method;
use leadflow_contracts::{
    Event,
    events::{BuyerContact, LeadAssigned, LeadReceived, MailWanted, SellerChanged},
};
use leadflow_kernel::{AssignmentId, EventId, LeadId};
use leadflow_messaging::{Bus, BusSettings, Envelope};
use leadflow_testkit::wait;
use prost::Message as _;
use serde_json::{Value, json};

use super::{
    markers::Markers,
    outside::{Outside, TWILIO_SAYS},
    people::{self, Pair},
};
use crate::world::{PATIENCE, World, usd};

/// The tenant whose leads are posted.
pub struct Market<'a> {
    pub world: &'a World,
    pub pair: Pair<'a>,
    pub api_key: String,
    pub campaign: String,
    pub markers: Markers,
}

impl<'a> Market<'a> {
    /// People, their webhooks outside, a campaign and a key.
    pub async fn open(world: &'a World, outside: &Outside) -> Self {
        let mut markers = Markers::default();
        let pair = people::register(world, &mut markers).await;
        webhooks(&pair, outside, &mut markers).await;
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "required": false });
        let fields = [
            ("firstName", "text"),
            ("lastName", "text"),
            ("email", "email"),
            ("phone", "phone"),
            ("address", "text"),
            ("notes", "text"),
            ("ip", "text"),
            ("userAgent", "text"),
            ("income", "number"),
            ("born", "date"),
            ("page", "url"),
            ("zip", "zip"),
        ];
        let category = json!({ "name": "Solar", "fields": fields.map(|(name, kind)| field(name, kind)) });
        let category = id(&pair.seller.post("/api/categories", 201, &category).await, "category");
        let campaign = json!({
            "categoryId": category, "name": "Solar California", "pricePerLead": 5, "distributionLogic": "ROUND_ROBIN",
            "duplicateWindowDays": 30, "allowStateSelection": true,
            "returns": { "days": 7, "reasons": ["wrong_number"] },
        });
        let campaign = id(&pair.seller.post("/api/campaigns", 201, &campaign).await, "campaign");
        let subscription = json!({ "campaignId": campaign, "states": ["CA"] });
        pair.buyer.post("/api/campaigns/subscribe", 201, &subscription).await;
        let funds = json!({ "amount": 5000, "reason": markers.add("Zqbanktransfer") });
        pair.seller.post(&format!("/api/buyers/{}/credits", pair.buyer_id), 201, &funds).await;
        let supplier = json!({ "name": markers.add("Zqsupplier"), "categories": [category] });
        let supplier = pair.seller.post("/api/suppliers", 201, &supplier).await;
        let api_key = markers.add(supplier["apiKey"].as_str().unwrap());
        let market = Self { world, pair, api_key, campaign, markers };
        wait::until("the gateway knows the campaign", PATIENCE, async || {
            market.post(&json!({ "campaignId": market.campaign, "data": {} }).to_string(), &[]).await.0 != 401
                && market.post(&json!({ "campaignId": market.campaign, "data": 1 }).to_string(), &[]).await.0 == 422
        })
        .await;
        market
    }

    /// What a post of this body is answered.
    pub async fn post(&self, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/api/leads/ingest", self.world.cluster.http_urls("ingest")[0]);
        let mut all = vec![("user-agent", "Zqprogram"), ("x-forwarded-for", "198.51.100.157")];
        if !headers.iter().any(|(name, _)| *name == "x-api-key") {
            all.push(("x-api-key", &self.api_key));
        }
        all.extend_from_slice(headers);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.world.client.send_bytes(Method::POST, &url, &all, Some(body)).await.unwrap();
        (answer.status.as_u16(), answer.body)
    }

    /// A person with a value in every field; `n` tells them apart.
    pub fn person(&self, n: u32) -> Value {
        json!({
            "campaignId": self.campaign, "state": "CA", "quality": "HOT",
            "data": {
                "firstName": "Zqfirstname", "lastName": "Zqlastname", "email": format!("Zqlead{n}@Zqhost.example"),
                "phone": format!("+1 (212) 555-{:04}", 1_000 + n), "address": "45 Zqstreet", "notes": "calls at Zqnotes01",
                "ip": "203.0.113.149", "userAgent": "Zqagent/1.0", "income": 98_765_432, "born": "1971-02-03",
                "page": "https://example.com/Zqpagepath?x=Zqpagequery", "zip": "90210-8731",
                "Zqunknownfield": "Zqunknownvalue", "Zqnested": { "Zqdeepname": ["Zqdeepvalue"] },
            },
        })
    }

    /// Leads of every fate.
    pub async fn leads(&mut self) {
        for marker in [
            "Zqfirstname",
            "Zqlastname",
            "Zqhost.example",
            "Zqlead1@",
            "45 Zqstreet",
            "Zqnotes01",
            "203.0.113.149",
            "Zqagent/1.0",
            "98765432",
            "1971-02-03",
            "Zqpagepath",
            "Zqpagequery",
            "90210-8731",
            "Zqunknownfield",
            "Zqunknownvalue",
            "Zqnested",
            "Zqdeepname",
            "Zqdeepvalue",
            "2125551001",
            "555-1001",
            "Zqprogram",
            "198.51.100.157",
            "Zqreference",
            "Zqidempotent",
            "Zqsecondbody",
            "Zqwrongkey",
            "Zqmalformed",
            "Zqlist01",
            "Zqwrongtype",
            "Zqwrongdata",
            "Zqbadmail",
            "Zqbadphone",
            "Zqbadnumber",
            "Zqextra01",
            "Zqtoolarge",
            "Zqcampaign",
            "Zqnostate",
            "Zqlookup1",
            "Zqlookup2",
            "Zqnulbyte",
        ] {
            self.markers.add(marker);
        }
        let mut sold = self.person(1);
        sold["reference"] = "Zqreference".into();
        // Sold at once, or as soon as money and buyer are known.
        let (status, answer) = self.post(&sold.to_string(), &[]).await;
        assert_eq!(status, 201, "{answer}");
        let mut duplicate = self.person(1);
        duplicate["data"]["firstName"] = "Zqsecondbody".into();
        let (_, answer) = self.post(&duplicate.to_string(), &[]).await;
        assert_eq!(answer["reason"], "duplicate", "{answer}");
        duplicate["reference"] = "Zqreference".into();
        assert_eq!(self.post(&duplicate.to_string(), &[]).await.0, 409);
        let mut unsold = self.person(2);
        unsold["state"] = "NY".into();
        let (_, answer) = self.post(&unsold.to_string(), &[("idempotency-key", "Zqidempotent")]).await;
        assert_eq!(answer["distributed"], false, "{answer}");
        let mut test = self.person(3);
        test["test"] = true.into();
        assert_eq!(self.post(&test.to_string(), &[]).await.0, 201);
        assert_eq!(self.post(&self.person(4).to_string(), &[("prefer", "respond-async")]).await.0, 202);

        let broken = format!("{{\"campaignId\":\"{}\",\"data\":{{\"firstName\":\"Zqmalformed\",", self.campaign);
        let large = self.person(5).to_string().replace("Zqfirstname", &"Zqtoolarge".repeat(10_000));
        let mut wrong = Vec::new();
        for (name, value) in [
            ("state", json!("Zqnostate")),
            ("Zqextra01", json!(1)),
            ("campaignId", json!("Zqcampaign")),
            ("data", json!("Zqwrongdata")),
            ("reference", json!({ "Zqwrongtype": 1 })),
        ] {
            let mut body = self.person(6);
            body[name] = value;
            wrong.push(body.to_string());
        }
        for (field, value) in [
            ("email", json!("Zqbadmail")),
            ("phone", json!("Zqbadphone")),
            ("income", json!("Zqbadnumber")),
            ("firstName", json!({ "Zqwrongtype": ["Zqwrongtype"] })),
            ("lastName", json!("Zqnulbyte\u{0}")),
        ] {
            let mut body = self.person(6);
            body["data"][field] = value;
            wrong.push(body.to_string());
        }
        wrong.extend([broken, "[\"Zqlist01\"]".to_owned(), "\"Zqwrongtype\"".to_owned()]);
        for body in wrong {
            let (status, answer) = self.post(&body, &[]).await;
            assert!(matches!(status, 400..=422), "{status} {answer}");
        }
        assert_eq!(self.post(&self.person(7).to_string(), &[("x-api-key", "sk_Zqwrongkey")]).await.0, 401);
        // On a connection of its own: it is closed behind such a body.
        assert_eq!(self.post(&large, &[("connection", "close")]).await.0, 413);
        let ingest = &self.world.cluster.http_urls("ingest")[0];
        for path in ["/Zqlookup1", "?reference=Zqlookup2", "?reference=Zqreference"] {
            let url = format!("{ingest}/api/leads/ingest{path}");
            self.world.client.get(&url, &[("x-api-key", &self.api_key)]).await.unwrap();
        }
    }

    /// The buyer sees what he bought and asks for his money; the seller looks it all up.
    pub async fn look_and_return(&mut self) {
        let bought = wait::until_some("the buyer sees his lead", PATIENCE, async || {
            let listed = self.pair.buyer.call(Method::GET, "/api/leads", None).await.body;
            Some(listed["leads"][0]["assignmentId"].as_str()?.to_owned())
        })
        .await;
        let wish = json!({ "reason": "wrong_number", "note": self.markers.add("Zqreturnnote") });
        let asked = self.pair.buyer.post(&format!("/api/leads/{bought}/return"), 201, &wish).await;
        let path = format!("/api/returns/{}/approve", id(&asked, "return"));
        let note = json!({ "note": self.markers.add("Zqsellernote") });
        self.pair.seller.post(&path, 200, &note).await;
        for path in ["/api/leads", "/api/audit", "/api/buyers", "/api/notifications/deliveries"] {
            self.pair.seller.call(Method::GET, path, None).await;
            self.pair.buyer.call(Method::GET, path, None).await;
        }
    }

    /// Messages that nobody can read, or not to their end. Gives the lead and the trace of one that names them.
    pub async fn junk(&mut self) -> (LeadId, &'static str) {
        let settings =
            BusSettings { url: self.world.cluster.nats.url(), source: "test".into(), connect_within: PATIENCE };
        let bus = Bus::connect(&settings).await.unwrap();
        let (lead, seller) = (LeadId::new(), self.pair.seller.call(Method::GET, "/api/auth/session", None).await);
        let seller_id = seller.body["user"]["sellerId"].as_str().unwrap().to_owned();
        let received = LeadReceived { lead_id: lead.to_string(), seller_id: "Zqjunkid".into(), ..Default::default() };
        // Ours in all but the data, which is no object.
        let assigned = LeadAssigned {
            lead_id: LeadId::new().to_string(),
            seller_id,
            campaign_id: self.campaign.clone(),
            campaign_name: "Zqjunkname".into(),
            data_json: Bytes::from_static(b"\"Zqjunkdata\""),
            received_at_ms: 1_800_000_000_000,
            assigned_at_ms: 1_800_000_000_000,
            assignments: vec![leadflow_contracts::events::Assignment {
                assignment_id: AssignmentId::new().to_string(),
                buyer_id: self.pair.buyer_id.clone(),
                subscription_id: String::new(),
                price: usd("5.00"),
            }],
            ..Default::default()
        };
        let garbage = Bytes::from_static(b"\xff\xff\xff Zqgarbage");
        let mut junk = vec![of::<LeadReceived>(received.encode_to_vec()), of::<LeadAssigned>(assigned.encode_to_vec())];
        junk.push(of::<LeadReceived>(garbage.to_vec()));
        junk.push(of::<LeadAssigned>(garbage.to_vec()));
        junk.push(of::<MailWanted>(garbage.to_vec()));
        junk.push(Envelope { subject: "seller.changed.junk".into(), ..of::<SellerChanged>(garbage.to_vec()) });
        junk.push(Envelope { subject: "buyer.contact.junk".into(), ..of::<BuyerContact>(garbage.to_vec()) });
        for marker in ["Zqjunkid", "Zqjunkname", "Zqjunkdata", "Zqgarbage"] {
            self.markers.add(marker);
        }
        for message in junk {
            bus.publish(&[message]).await.unwrap();
        }
        (lead, JUNK_TRACE)
    }

    /// Waits until everything that is told was tried to be told.
    pub async fn told(&self) {
        wait::until("what is told was tried", PATIENCE, async || {
            let waiting = "SELECT (SELECT count(*) FROM notifier.deliveries WHERE status = 'PENDING' AND attempts_made = 0) \
                         + (SELECT count(*) FROM notifier.messages WHERE status = 'WAITING' AND attempts_made = 0)";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.world.books).await.unwrap() == 0
        })
        .await;
    }
}

pub const JUNK_TRACE: &str = "1af7651916cd43dd8448eb211c80319d";

fn of<E: Event>(payload: Vec<u8>) -> Envelope {
    Envelope {
        id: EventId::new(),
        subject: E::default().subject(),
        kind: E::TYPE.to_owned(),
        time: chrono::DateTime::UNIX_EPOCH,
        traceparent: Some(format!("00-{JUNK_TRACE}-b7ad6b7169203331-01")),
        payload: payload.into(),
    }
}

fn id(body: &Value, record: &str) -> String {
    body[record]["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// Where the buyer is told: receivers that fail, are gone, refuse, send elsewhere, and are not there, each with secrets of its own; his phone.
async fn webhooks(pair: &Pair<'_>, outside: &Outside, markers: &mut Markers) {
    for marker in [
        "Zqurlpath",
        "Zqurlquery",
        "Zqhooksecret",
        "Zqbearertoken",
        "Zqheadervalue",
        "Zqbasicuser",
        "Zqbasicpassword",
        "Zqnobodyhere",
        "Zqprivate",
        "Zqmovedto",
        TWILIO_SAYS,
    ] {
        markers.add(marker);
    }
    let answer = json!({
        "rules": [{ "statuses": [200], "means": "REJECTED" }], "reasonPointer": "/because",
    });
    for (path, more) in [
        ("/echo/500/Zqurlpath?token=Zqurlquery", json!({ "auth": { "type": "BEARER", "token": "Zqbearertoken" } })),
        ("/echo/410/Zqurlpath", json!({ "headers": [{ "name": "X-Crm-Key", "value": "Zqheadervalue" }] })),
        (
            "/echo/200/Zqurlpath",
            json!({ "answer": answer, "auth": { "type": "BASIC", "user": "Zqbasicuser", "password": "Zqbasicpassword" } }),
        ),
        ("/moved/Zqurlpath", json!({})),
    ] {
        let mut hook = json!({ "url": outside.url(path), "secret": "Zqhooksecret and more" });
        hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pair.buyer.post("/api/notifications/endpoints", 201, &hook).await;
    }
    let nobody = json!({ "url": "http://127.0.0.1:9/Zqnobodyhere", "secret": "Zqhooksecret and more" });
    pair.buyer.post("/api/notifications/endpoints", 201, &nobody).await;
    for refused in ["http://10.1.2.3/Zqprivate", "http://Zqprivate:Zqprivate@example.com/", "Zqprivate"] {
        pair.buyer.post("/api/notifications/endpoints", 422, &json!({ "url": refused })).await;
    }
    let phone = json!({ "smsOnLead": true, "phoneNumber": format!("+1{}", markers.add("2125559175")) });
    pair.buyer.put("/api/notifications/preferences", 200, &phone).await;
}
