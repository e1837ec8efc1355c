//! Who takes mails: SendGrid and a mail server, which are away, cut off or back as told, and remember when what came.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    routing::post,
};
use chrono::{DateTime, Utc};
use leadflow_kernel::{Clock as _, ManualClock, MessageId};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    MailSettings, SCHEMA,
    app::{Notifier, Queue},
    outbound::email::{Email, Provider as By, SendGrid, SendGridSettings},
};
use leadflow_outbound_http::{Client, Options};
use leadflow_outbound_mail::{Mailer, SmtpSettings, Tls};
use leadflow_platform::{Shutdown, grpc::ServiceToken};
use leadflow_testkit::ChaosProxy;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::world::{PATIENCE, TOKEN, World, places};

/// How mails are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// 503, or 451.
    Busy,
    /// No answer at all; such a mail is not taken, even later.
    Hangs,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Took {
    pub id: MessageId,
    /// As the clock of the test has it.
    pub at: DateTime<Utc>,
    /// The request's body, or the mail's bytes.
    pub raw: Vec<u8>,
}

/// Of SendGrid or a mail server.
#[derive(Clone)]
struct Desk {
    clock: ManualClock,
    shared: Arc<Mutex<(Mood, usize, Vec<Took>)>>,
}

impl Desk {
    /// Somebody asks.
    fn mood(&self) -> Mood {
        let mut shared = self.shared.lock().unwrap();
        shared.1 += 1;
        shared.0
    }

    fn take(&self, id: &str, raw: Vec<u8>) {
        let took = Took { id: id.parse().unwrap(), at: self.clock.now(), raw };
        self.shared.lock().unwrap().2.push(took);
    }
}

pub struct Provider {
    pub settings: MailSettings,
    desk: Desk,
    proxy: ChaosProxy,
}

impl Provider {
    pub async fn sendgrid(clock: &ManualClock) -> Self {
        let (listener, desk, proxy) = desk(clock).await;
        let router = Router::new().route("/v3/mail/send", post(sendgrid)).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = MailSettings::SendGrid(SendGridSettings {
            base: format!("http://{}", proxy.addr()).parse().unwrap(),
            key: "SG.test".into(),
            from: "noreply@leadflow.example".into(),
            timeout: PATIENCE,
        });
        Self { settings, desk, proxy }
    }

    pub async fn smtp(clock: &ManualClock) -> Self {
        let (listener, desk, proxy) = desk(clock).await;
        let server = desk.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(smtp(stream, server.clone()));
            }
        });
        let settings = MailSettings::Smtp(SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: proxy.addr().port(),
            tls: Tls::None,
            credentials: None,
            from: "LeadFlow <noreply@leadflow.example>".to_owned(),
            timeout: PATIENCE,
        });
        Self { settings, desk, proxy }
    }

    /// What hands mails to it, without the loops around it.
    pub fn sender(&self, world: &World) -> (Notifier, Queue<Email>) {
        let (relay, relaying) =
            Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
        tokio::spawn(relaying);
        let (clock, keys) = (Arc::new(world.clock.clone()), world.config().keys);
        let client = Client::new(Options::default()).unwrap();
        let lease = Duration::from_secs(60);
        let notifier = Notifier::new(world.db.pool().clone(), relay, clock.clone(), keys, client, lease);
        let carrier = match &self.settings {
            MailSettings::Smtp(smtp) => By::Smtp(Mailer::new(smtp).unwrap()),
            MailSettings::SendGrid(account) => By::SendGrid(SendGrid::new(account, clock).unwrap()),
        };
        let email = Email::new(Some(carrier), places(), &ServiceToken::new(TOKEN)).unwrap();
        (notifier, Queue::new(email, 1_000))
    }

    pub fn behave(&self, mood: Mood) {
        self.desk.shared.lock().unwrap().0 = mood;
    }

    /// Closes all connections and takes none.
    pub async fn cut(&self) {
        self.proxy.cut().await;
    }

    pub async fn restore(&self) {
        self.proxy.restore().await.unwrap();
    }

    /// How often it was asked to take a mail.
    pub fn asked(&self) -> usize {
        self.desk.shared.lock().unwrap().1
    }

    pub fn took(&self) -> Vec<Took> {
        self.desk.shared.lock().unwrap().2.clone()
    }

    /// How often it took each.
    pub fn times(&self) -> HashMap<MessageId, usize> {
        let mut times = HashMap::new();
        for took in self.took() {
            *times.entry(took.id).or_default() += 1;
        }
        times
    }
}

async fn desk(clock: &ManualClock) -> (TcpListener, Desk, ChaosProxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = ChaosProxy::start(listener.local_addr().unwrap()).await.unwrap();
    (listener, Desk { clock: clock.clone(), shared: Arc::new(Mutex::new((Mood::Takes, 0, Vec::new()))) }, proxy)
}

async fn sendgrid(State(desk): State<Desk>, body: Bytes) -> (StatusCode, HeaderMap) {
    match desk.mood() {
        Mood::Takes => {}
        Mood::Busy => return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new()),
        Mood::Hangs => never().await,
    }
    let mail: Value = serde_json::from_slice(&body).unwrap();
    let id = mail["personalizations"][0]["custom_args"]["message_id"].as_str().unwrap().to_owned();
    desk.take(&id, body.to_vec());
    let provider_id = HeaderValue::from_str(&format!("of {id}")).unwrap();
    (StatusCode::ACCEPTED, HeaderMap::from_iter([(axum::http::HeaderName::from_static("x-message-id"), provider_id)]))
}

/// As much of RFC 5321 as a client needs.
async fn smtp(stream: TcpStream, desk: Desk) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(b"220 here\r\n").await?;
    let mut line = String::new();
    while {
        line.clear();
        stream.read_line(&mut line).await?
    } > 0
    {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "QUIT" => return stream.get_mut().write_all(b"221 bye\r\n").await,
            "RCPT" => match desk.mood() {
                Mood::Takes => b"250 go on\r\n",
                Mood::Busy => b"451 come again\r\n",
                Mood::Hangs => never().await,
            },
            "DATA" => {
                stream.get_mut().write_all(b"354 end with a dot\r\n").await?;
                let mut raw = Vec::new();
                loop {
                    let from = raw.len();
                    if stream.read_until(b'\n', &mut raw).await? == 0 {
                        return Ok(());
                    }
                    if &raw[from..] == b".\r\n" {
                        raw.truncate(from);
                        break;
                    }
                    if raw[from] == b'.' {
                        raw.remove(from);
                    }
                }
                let text = String::from_utf8(raw.clone()).unwrap();
                let id = text.split_once("Message-ID: <").unwrap().1.split_once('@').unwrap().0;
                desk.take(id, raw);
                b"250 taken\r\n"
            }
            _ => b"250 fine\r\n",
        };
        stream.get_mut().write_all(answer).await?;
    }
    Ok(())
}

/// Until the connection is closed.
async fn never<T>() -> T {
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    unreachable!("no test takes that long")
}
