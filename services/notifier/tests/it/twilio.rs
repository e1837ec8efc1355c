//! A stand-in for Twilio, and a notifier that sends through it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use leadflow_kernel::{BuyerId, Clock as _, ManualClock, MessageId};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    SCHEMA,
    app::{AppError, Callback, CallbackSource, Notifier, Queue},
    outbound::sms::{Sms, Twilio, TwilioSettings},
    store::messages::NewMessage,
    twilio_signature::TwilioTokens,
};
use leadflow_notifier_domain::{Channel, LeadNews, News};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::Shutdown;
use ring::hmac;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
};
use url::{Url, form_urlencoded};

use crate::world::World;

pub const ACCOUNT: &str = "AC0123456789";
pub const TWILIO_TOKEN: &str = "the account's token";
pub const FROM: &str = "+15005550006";
pub const PHONE: &str = "+12125550123";
pub const PUBLIC: &str = "https://api.example.com";

/// How the next request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// As asked for.
    Usual,
    /// With this status and number, and what is asked for; nothing is kept.
    No(u16, u32, Option<&'static str>),
    /// It is kept, and the answer breaks off.
    Lost,
    /// It is kept, and answered when the test says so.
    Held,
}

/// A text message as it was asked for.
#[derive(Debug, Clone)]
pub struct Taken {
    pub sid: String,
    pub form: HashMap<String, String>,
    date: String,
}

impl Taken {
    pub fn body(&self) -> &str {
        &self.form["Body"]
    }

    pub fn callback(&self) -> &str {
        &self.form["StatusCallback"]
    }
}

#[derive(Clone)]
pub struct Phones {
    clock: ManualClock,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    asked: Arc<Mutex<Vec<String>>>,
    pub arrived: Arc<Notify>,
    pub release: Arc<Semaphore>,
    pub settings: TwilioSettings,
}

impl Phones {
    pub async fn start(clock: &ManualClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let phones = Self {
            clock: clock.clone(),
            answers: Arc::default(),
            taken: Arc::default(),
            asked: Arc::default(),
            arrived: Arc::default(),
            release: Arc::new(Semaphore::new(0)),
            settings: TwilioSettings {
                base: base.parse().unwrap(),
                account: ACCOUNT.into(),
                tokens: vec![TWILIO_TOKEN.into()],
                key: None,
                from: FROM.into(),
                callback: Some(format!("{PUBLIC}/api/webhooks/twilio/status").parse().unwrap()),
                timeout: Duration::from_secs(20),
            },
        };
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", get(list).post(create))
            .with_state(phones.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        phones
    }

    pub fn answer(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// What it has, the oldest first.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// How often it was asked what it has.
    pub fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn is_ours(account: &str, headers: &HeaderMap) -> bool {
        let wanted = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TWILIO_TOKEN}")));
        account == ACCOUNT && headers.get(header::AUTHORIZATION).is_some_and(|shown| shown == wanted.as_str())
    }
}

fn refusal(status: u16, code: u32, retry_after: Option<&str>) -> Response {
    let body = Json(json!({ "code": code, "message": "no", "status": status }));
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.parse().unwrap());
    }
    response
}

async fn create(
    State(phones): State<Phones>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if !Phones::is_ours(&account, &headers) {
        return refusal(401, 20003, None);
    }
    let answer = phones.answers.lock().unwrap().pop_front();
    if let Some(Answer::No(status, code, retry_after)) = answer {
        return refusal(status, code, retry_after);
    }
    let form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let date = phones.clock.now().to_rfc2822();
    let sid = {
        let mut taken = phones.taken.lock().unwrap();
        let sid = format!("SM{:032}", taken.len() + 1);
        taken.push(Taken { sid: sid.clone(), form, date });
        sid
    };
    phones.arrived.notify_one();
    match answer {
        Some(Answer::Lost) => {
            let broken = futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("gone"))]);
            return (StatusCode::CREATED, Body::from_stream(broken)).into_response();
        }
        Some(Answer::Held) => phones.release.acquire().await.unwrap().forget(),
        _ => {}
    }
    (StatusCode::CREATED, Json(json!({ "sid": sid, "num_segments": "2", "status": "queued" }))).into_response()
}

async fn list(
    State(phones): State<Phones>,
    Path(account): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if !Phones::is_ours(&account, &headers) {
        return refusal(401, 20003, None);
    }
    phones.asked.lock().unwrap().push(query["To"].clone());
    if let Some(Answer::No(status, code, retry_after)) = phones.answers.lock().unwrap().pop_front() {
        return refusal(status, code, retry_after);
    }
    let messages: Vec<Value> = phones
        .taken()
        .iter()
        .rev()
        .filter(|taken| taken.form["To"] == query["To"])
        .map(|taken| {
            json!({
                "sid": taken.sid, "body": taken.body(), "direction": "outbound-api", "num_segments": "2",
                "date_created": taken.date, "to": taken.form["To"],
            })
        })
        .collect();
    Json(json!({ "messages": messages })).into_response()
}

/// As Twilio signs.
pub fn sign(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    let signed: String = fields.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{url}{signed}").as_bytes()))
}

/// A call of Twilio's.
pub fn call(source: CallbackSource, url: &str, fields: &[(&str, &str)]) -> Callback {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    Callback {
        source,
        headers: HashMap::from([("x-twilio-signature".to_owned(), sign(TWILIO_TOKEN, url, fields))]),
        body: form.finish().into(),
        url: url.to_owned(),
    }
}

/// Notifiers that send texts to one buyer.
pub struct Office {
    pub world: World,
    pub phones: Phones,
    pub notifier: Notifier,
    pub queue: Queue<Sms>,
    pub buyer: BuyerId,
}

impl Office {
    pub async fn start() -> Self {
        let world = World::empty().await;
        let phones = Phones::start(&world.clock).await;
        Self::with(world, phones).await
    }

    /// Sends by the settings of `phones`.
    pub async fn with(world: World, phones: Phones) -> Self {
        let (notifier, queue) = replica(&world, &phones);
        let buyer = BuyerId::new();
        sqlx::query(
            "WITH seller AS (INSERT INTO notifier.sellers VALUES ($1, 1, 'Acme Solar', 'America/New_York')), \
             wishes AS (INSERT INTO notifier.preferences \
               (buyer_id, seller_id, sms_on_lead, sms_on_low_balance, sms_agreed_at, updated_at) \
               VALUES ($2, $1, true, true, $4, $4)) \
             INSERT INTO notifier.buyers (buyer_id, seller_id, contact_name, phone) VALUES ($2, $1, 'Sam Lee', $3)",
        )
        .bind(world.seller.uuid())
        .bind(buyer.uuid())
        .bind(PHONE)
        .bind(world.now())
        .execute(world.db.pool())
        .await
        .unwrap();
        Self { world, phones, notifier, queue, buyer }
    }

    /// Changes the buyer's row of a table.
    pub async fn set(&self, change: &'static str) {
        sqlx::query(change).execute(self.world.db.pool()).await.unwrap();
    }

    pub fn message(&self, news: &News) -> NewMessage {
        NewMessage {
            id: MessageId::new(),
            seller: Some(self.world.seller),
            buyer: Some(self.buyer),
            channel: Channel::Sms,
            kind: news.kind(),
            lead: None,
            contents: news.encode(),
            expires_at: self.world.now() + TimeDelta::hours(24),
            received_at: None,
            traceparent: None,
        }
    }

    pub async fn tell(&self, news: &News) -> MessageId {
        let message = self.message(news);
        self.notifier.accept_messages(std::slice::from_ref(&message)).await.unwrap();
        message.id
    }

    pub async fn send(&self) -> usize {
        self.notifier.send_messages(&self.queue).await.unwrap()
    }

    /// Tells and sends.
    pub async fn sent(&self, news: &News) -> MessageId {
        let message = self.tell(news).await;
        assert_eq!(self.send().await, 1);
        message
    }

    /// As if whoever sent it had died before he recorded that; his lease ends, and the message is of no use, in so many seconds.
    pub async fn forget(&self, message: MessageId, news: &News, seconds: i64) {
        let until = self.world.now() + TimeDelta::seconds(seconds);
        sqlx::query(
            "WITH forgotten AS (DELETE FROM notifier.message_attempts WHERE message_id = $1) \
             UPDATE notifier.messages SET status = 'WAITING', ended_at = NULL, contents = $2, lease = gen_random_uuid(), \
               due_at = $3, expires_at = $3 + interval '1 minute', attempts_made = 0, provider_id = NULL, units = 1 \
             WHERE message_id = $1",
        )
        .bind(message.uuid())
        .bind(news.encode())
        .bind(until)
        .execute(self.world.db.pool())
        .await
        .unwrap();
    }

    /// What Twilio tells of a message.
    pub async fn status(&self, of: &Taken, status: &str, code: &str) -> Result<String, AppError> {
        let fields = [("MessageSid", of.sid.as_str()), ("MessageStatus", status), ("ErrorCode", code), ("To", PHONE)];
        self.notifier.take_callback(&call(CallbackSource::TwilioStatus, of.callback(), &fields)).await
    }

    /// What the phone answers.
    pub async fn answers(&self, sid: &str, body: &str) {
        let fields = [("MessageSid", sid), ("From", PHONE), ("To", FROM), ("Body", body)];
        let url = format!("{PUBLIC}/api/webhooks/twilio/inbound");
        let answer = self.notifier.take_callback(&call(CallbackSource::TwilioInbound, &url, &fields)).await;
        assert_eq!(answer.unwrap(), "");
    }

    /// Status, attempts, error, provider's id, units.
    pub async fn row(&self, message: MessageId) -> (String, i32, String, Option<String>, i32) {
        let row = sqlx::query(
            "SELECT status, attempts_made, error, provider_id, units FROM notifier.messages WHERE message_id = $1",
        )
        .bind(message.uuid())
        .fetch_one(self.world.db.pool())
        .await
        .unwrap();
        (row.get("status"), row.get("attempts_made"), row.get("error"), row.get("provider_id"), row.get("units"))
    }

    pub async fn status_of(&self, message: MessageId) -> String {
        self.row(message).await.0
    }

    /// Reason and words, if nothing is sent to the phone.
    pub async fn suppressed(&self) -> Option<(String, String)> {
        sqlx::query_as("SELECT reason, detail FROM notifier.suppressions WHERE channel = 'SMS' AND recipient = $1")
            .bind(PHONE)
            .fetch_optional(self.world.db.pool())
            .await
            .unwrap()
    }
}

/// Another one that sends.
pub fn replica(world: &World, phones: &Phones) -> (Notifier, Queue<Sms>) {
    let (relay, relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
    tokio::spawn(relaying);
    let (clock, keys) = (Arc::new(world.clock.clone()), world.config().keys);
    let client = Client::new(Options::default()).unwrap();
    let mut notifier =
        Notifier::new(world.db.pool().clone(), relay, clock.clone(), keys, client, Duration::from_secs(60));
    notifier.twilio_tokens = Some(TwilioTokens::new(&["another".into(), phones.settings.tokens[0].clone()]));
    let twilio = Twilio::new(&phones.settings, clock).unwrap();
    (notifier, Queue::new(Sms::new(Some(twilio)).unwrap(), 100))
}

pub fn lead(first_name: &str) -> News {
    News::LeadAssigned(LeadNews {
        lead: "lead_1".into(),
        campaign: "Solar West".into(),
        category: "Solar".into(),
        state: "CA".into(),
        quality: "HOT".into(),
        price: "$25.00".into(),
        sold_at: chrono::DateTime::UNIX_EPOCH,
        first_name: first_name.into(),
        last_name: "O'Neil".into(),
        fields: vec![("Email".into(), "john@example.com".into())],
    })
}

pub fn low() -> News {
    News::LowBalance { available: "$9.50".into(), threshold: "$50.00".into() }
}

/// A field of a call's URL.
pub fn query(url: &str, wanted: &str) -> String {
    let url: Url = url.parse().unwrap();
    url.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned()
}
