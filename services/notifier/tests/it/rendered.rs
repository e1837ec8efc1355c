//! Every mail as it leaves: by SMTP, read by another's parser, and by SendGrid's API; with what people usually write, and with what
//! somebody writes who means harm.

use std::collections::{BTreeMap, BTreeSet};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use chrono::TimeDelta;
use leadflow_contracts::events::MailContents;
use leadflow_kernel::{BuyerId, MailId, MessageId};
use leadflow_notifier::{Topic, store::messages::NewMessage};
use leadflow_notifier_domain::{Channel, DaySummary, LeadNews, MessageKind, News, person, plain_name, readable_fields};
use leadflow_platform::grpc::ServiceToken;
use leadflow_testkit::wait;
use mail_parser::{HeaderValue, MessageParser, MimeHeaders as _};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    providers::Provider,
    world::{PATIENCE, TOKEN, World},
};

const ADDRESS: &str = "sam@buyer.example";
const LINK_TOKEN: &str = "thetokenthatnobodymaysee";

/// What a mail says, whoever carried it.
#[derive(Debug, PartialEq)]
struct Read {
    sender: String,
    subject: String,
    text: String,
    html: String,
    /// Those that we add, by their names in small letters.
    headers: BTreeMap<String, String>,
}

/// Everything there is to tell, in which each word is `word`, unless it is empty.
fn news(word: &str) -> Vec<News> {
    let say = |usual: &str| if word.is_empty() { usual.to_owned() } else { word.to_owned() };
    let label = if word.is_empty() { "roof_type" } else { word };
    let data = json!({
        "firstName": say("John"), "lastName": say("O'Neil"), "email": say("john@example.com"), label: say("flat"), "kW": 3.5,
    });
    let data = data.as_object().unwrap();
    let (first_name, last_name) = person(data);
    let at = "2026-11-23T19:05:00Z".parse().unwrap();
    let lead = LeadNews {
        lead: "lead_1".into(),
        campaign: say("Solar West"),
        category: say("Solar"),
        state: say("CA"),
        quality: say("HOT"),
        price: "$25.00".into(),
        sold_at: at,
        first_name,
        last_name,
        fields: readable_fields(data),
    };
    let decided = |approved| News::ReturnDecided {
        campaign: say("Solar West"),
        approved,
        reason: say("wrong_number"),
        note: say("We called it, too."),
        price: "$25.00".into(),
    };
    vec![
        News::LeadAssigned(lead),
        News::LowBalance { available: "$9.50".into(), threshold: "$50.00".into() },
        News::RechargeFailed {
            amount: "$100.00".into(),
            why: say("The card has too little money."),
            again_at: Some(at),
        },
        News::RechargeTurnedOff { why: say("The card was declined three times.") },
        News::PaymentActionNeeded { amount: "$100.00".into(), recharge: true },
        decided(true),
        decided(false),
        News::EndpointDisabled { why: say("every attempt failed"), failing_since: Some(at) },
        News::DailySummary(DaySummary {
            day: "2026-11-22".parse().unwrap(),
            leads: 12,
            spent: "$300.00".into(),
            returned: 1,
            delivered: 11,
            gave_up: 1,
            available: Some("$45.50".into()),
        }),
    ]
}

/// Mails of every kind, in the order of what is expected of them: to a buyer, and those that let people in.
fn every(world: &World, buyer: BuyerId, word: &str, name: &str) -> Vec<NewMessage> {
    let message = |id, kind, buyer, contents| NewMessage {
        id,
        seller: Some(world.seller),
        buyer,
        channel: Channel::Email,
        kind,
        lead: None,
        contents,
        expires_at: world.now() + TimeDelta::hours(24),
        received_at: None,
        traceparent: None,
    };
    let news = news(word).into_iter().map(|news| message(MessageId::new(), news.kind(), Some(buyer), news.encode()));
    let access = MessageKind::ALL.into_iter().filter(|kind| kind.is_sealed()).map(|kind| {
        let id = MailId::new();
        let contents = MailContents {
            email: ADDRESS.into(),
            name: name.into(),
            token: LINK_TOKEN.into(),
            company_name: name.into(),
        };
        let cipher = Aes256Gcm::new(&ServiceToken::new(TOKEN).derive_key("mail contents").into());
        let (plain, aad) = (contents.encode_to_vec(), id.to_string());
        let payload = Payload { msg: &plain, aad: aad.as_bytes() };
        let sealed = cipher.encrypt(Nonce::from_slice(&[7; 12]), payload).unwrap();
        message(MessageId::from_uuid(id.uuid()), kind, None, [&[7; 12][..], &sealed].concat())
    });
    news.chain(access).collect()
}

/// A buyer and his seller, by these names.
async fn buyer(world: &World, seller_name: &str, name: &str) -> BuyerId {
    let buyer = BuyerId::new();
    sqlx::query(
        "WITH seller AS (INSERT INTO notifier.sellers VALUES ($1, 1, $3, 'America/New_York') \
           ON CONFLICT (seller_id) DO UPDATE SET company_name = $3) \
         INSERT INTO notifier.buyers (buyer_id, seller_id, contact_name, email, email_verified) VALUES ($2, $1, $4, $5, true)",
    )
    .bind(world.seller.uuid())
    .bind(buyer.uuid())
    .bind(seller_name)
    .bind(name)
    .bind(ADDRESS)
    .execute(world.db.pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO notifier.preferences (buyer_id, seller_id, daily_summary, updated_at) VALUES ($1, $2, true, now())",
    )
    .bind(buyer.uuid())
    .bind(world.seller.uuid())
    .execute(world.db.pool())
    .await
    .unwrap();
    buyer
}

/// As a mail program reads it. Nothing else than what we mean to say is in it.
fn read_smtp(raw: &[u8], id: MessageId) -> Read {
    let lines = raw.split(|byte| *byte == b'\n');
    assert!(lines.clone().all(|line| line.len() <= 998), "a line is too long for RFC 5322");
    let mail = MessageParser::default().parse(raw).unwrap();
    let names: Vec<String> = mail.headers().iter().map(|header| header.name().to_lowercase()).collect();
    let known = BTreeSet::from([
        "from",
        "to",
        "subject",
        "message-id",
        "auto-submitted",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "mime-version",
        "content-type",
        "date",
    ]);
    assert!(names.iter().all(|name| known.contains(name.as_str())), "{names:?}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a header is there twice: {names:?}");
    let from = mail.from().unwrap();
    assert_eq!((from.iter().count(), from.first().unwrap().address()), (1, Some("noreply@leadflow.example")));
    let to = mail.to().unwrap();
    assert_eq!((to.iter().count(), to.first().unwrap().address()), (1, Some(ADDRESS)));
    assert_eq!(mail.message_id(), Some(format!("{id}@leadflow.example").as_str()));
    assert!(
        mail.content_type().is_some_and(|kind| kind.ctype() == "multipart" && kind.subtype() == Some("alternative"))
    );
    assert_eq!(
        (mail.parts.len(), mail.text_body_count(), mail.html_body_count(), mail.attachment_count()),
        (3, 1, 1, 0)
    );
    for (part, kind) in [(&mail.parts[1], "plain"), (&mail.parts[2], "html")] {
        let said = part.content_type().unwrap();
        assert_eq!((said.ctype(), said.subtype()), ("text", Some(kind)));
        assert!(said.attribute("charset").is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8")));
        assert!(!part.is_encoding_problem);
    }
    let header = |name: &str| mail.header_raw(name).map(|value| (name.to_lowercase(), value.trim().to_owned()));
    assert!(matches!(mail.header("Subject"), Some(HeaderValue::Text(_))));
    Read {
        sender: from.first().unwrap().name().unwrap().to_owned(),
        subject: mail.subject().unwrap().to_owned(),
        text: mail.body_text(0).unwrap().replace("\r\n", "\n"),
        html: mail.body_html(0).unwrap().replace("\r\n", "\n"),
        headers: ["Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post"]
            .into_iter()
            .filter_map(header)
            .collect(),
    }
}

fn read_sendgrid(raw: &[u8], id: MessageId, kind: MessageKind) -> Read {
    let mail: Value = serde_json::from_slice(raw).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(
        mail["personalizations"],
        json!([{ "to": [{ "email": ADDRESS }], "custom_args": { "message_id": id.to_string() } }])
    );
    assert_eq!(mail["from"]["email"], "noreply@leadflow.example");
    assert_eq!(mail["categories"], json!(["leadflow", kind.code().to_lowercase()]));
    let off = json!({ "enable": false });
    assert_eq!(
        mail["tracking_settings"],
        json!({
            "click_tracking": { "enable": false, "enable_text": false }, "open_tracking": off, "subscription_tracking": off,
        })
    );
    assert_eq!(
        (&mail["content"][0]["type"], &mail["content"][1]["type"], mail["content"].as_array().unwrap().len()),
        (&json!("text/plain"), &json!("text/html"), 2)
    );
    let headers = mail["headers"].as_object().unwrap();
    Read {
        sender: text(&mail["from"]["name"]),
        subject: text(&mail["subject"]),
        text: text(&mail["content"][0]["value"]),
        html: text(&mail["content"][1]["value"]),
        headers: headers.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect(),
    }
}

/// Every mail with these words as both providers got it: kind, and what it says.
async fn sent(world: &World, providers: &[Provider], seller: &str, name: &str, word: &str) -> Vec<(MessageKind, Read)> {
    let buyer = buyer(world, seller, name).await;
    let mails = every(world, buyer, word, name);
    let mut reads = Vec::new();
    for (at, provider) in providers.iter().enumerate() {
        let (notifier, queue) = provider.sender(world);
        // The same again for the next one: as if it had not been sent.
        sqlx::query("DELETE FROM notifier.messages").execute(world.db.pool()).await.unwrap();
        notifier.accept_messages(&mails).await.unwrap();
        wait::until("all are sent", PATIENCE, async || {
            notifier.send_messages(&queue).await.unwrap();
            world.count("SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'").await == 0
        })
        .await;
        assert_eq!(
            world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await,
            i64::try_from(mails.len()).unwrap(),
            "{word:?}"
        );
        let took = provider.took();
        reads.push(
            mails
                .iter()
                .map(|mail| {
                    let raw = &took.iter().rfind(|took| took.id == mail.id).unwrap().raw;
                    let read = if at == 0 { read_smtp(raw, mail.id) } else { read_sendgrid(raw, mail.id, mail.kind) };
                    (mail.kind, read)
                })
                .collect::<Vec<_>>(),
        );
    }
    let by_sendgrid = reads.pop().unwrap();
    let by_smtp = reads.pop().unwrap();
    // Whoever carries it, it says the same.
    for ((kind, one), (_, other)) in by_smtp.iter().zip(&by_sendgrid) {
        for (one, other) in [
            (&one.sender, &other.sender),
            (&one.subject, &other.subject),
            (&one.text, &other.text),
            (&one.html, &other.html),
        ] {
            assert!(one == other, "{kind:?} with {word:.60}: {one:.200}\n{other:.200}");
        }
        assert_eq!(one.headers, other.headers, "{kind:?}");
    }
    let tokens = leadflow_notifier::unsubscribe_tokens(&ServiceToken::new(TOKEN));
    for (kind, read) in &by_smtp {
        assert_eq!(read.headers["auto-submitted"], "auto-generated");
        let topic = Topic::ALL.into_iter().find(|topic| topic.code() == kind.code());
        let link = read.headers.get("list-unsubscribe");
        assert_eq!(
            (link.is_some(), read.headers.len()),
            (topic.is_some(), if topic.is_some() { 3 } else { 1 }),
            "{kind:?}"
        );
        if let (Some(topic), Some(link)) = (topic, link) {
            assert_eq!(read.headers["list-unsubscribe-post"], "List-Unsubscribe=One-Click");
            let begins = "<https://api.example.com/api/notifications/unsubscribe?token=";
            let token = link.strip_prefix(begins).and_then(|rest| rest.strip_suffix('>')).unwrap();
            assert_eq!(tokens.read(token), Some((buyer, topic)));
            // People find the page in summaries; of the others they are told where they choose.
            let page = format!("https://app.example.com/unsubscribe?token={token}");
            let shown = *kind == MessageKind::DailySummary;
            assert_eq!(
                (read.text.contains(&page), read.html.contains(&page)),
                (shown, shown),
                "{kind:?}: {}",
                read.text
            );
        }
    }
    by_smtp
}

async fn providers(world: &World) -> [Provider; 2] {
    [Provider::smtp(&world.clock).await, Provider::sendgrid(&world.clock).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mail_says_what_it_is_about_in_both_its_forms_by_both_providers() {
    let world = World::empty().await;
    let providers = providers(&world).await;
    let mails = sent(&world, &providers, "Acme Solar", "Sam Lee", "").await;
    let expected: [(MessageKind, &str, &[&str]); 13] = [
        (MessageKind::LeadAssigned, "New lead: Solar West, CA", &["John", "john@example.com", "Roof type", "$25.00"]),
        (MessageKind::LowBalance, "Your balance is low: $9.50", &["$9.50", "$50.00"]),
        (MessageKind::RechargeFailed, "Your card was declined: $100.00", &["too little money", "14:05 EST"]),
        (MessageKind::RechargeTurnedOff, "Your wallet is not recharged any more", &["declined three times"]),
        (MessageKind::PaymentActionNeeded, "Please confirm a payment of $100.00", &["$100.00"]),
        (MessageKind::ReturnDecided, "Your return was accepted", &["$25.00", "wrong number", "We called it, too."]),
        (MessageKind::ReturnDecided, "Your return was declined", &["$25.00", "wrong number", "We called it, too."]),
        (MessageKind::EndpointDisabled, "Your webhook was switched off", &["every attempt failed"]),
        (MessageKind::DailySummary, "Sunday, 22 November: 12 leads", &["$300.00", "$45.50", "12", "11"]),
        (MessageKind::ResetPassword, "Choose a new password", &["/reset-password?token=", LINK_TOKEN]),
        (MessageKind::VerifyEmail, "Confirm your e-mail address", &["/verify-email?token=", LINK_TOKEN]),
        (
            MessageKind::TeamInvitation,
            "You are invited to a team on LeadFlow",
            &["/accept-invitation?token=", LINK_TOKEN],
        ),
        (
            MessageKind::SupplierInvitation,
            "You are invited to see your leads on LeadFlow",
            &["/accept-invitation?token=", LINK_TOKEN],
        ),
    ];
    assert_eq!(expected.iter().map(|(kind, ..)| *kind).collect::<BTreeSet<_>>(), BTreeSet::from(MessageKind::ALL));
    assert_eq!(mails.len(), expected.len());
    for ((kind, read), (wanted, subject, told)) in mails.iter().zip(expected) {
        assert_eq!((*kind, read.subject.as_str()), (wanted, subject));
        let sender = if kind.is_sealed() { "LeadFlow" } else { "Acme Solar via LeadFlow" };
        assert_eq!(read.sender, sender, "{kind:?}");
        assert!(read.html.to_lowercase().starts_with("<!doctype html>"), "{kind:?}");
        for form in [&read.text, &read.html] {
            for words in told.iter().chain(&["Sam Lee"]) {
                assert!(form.contains(words), "{kind:?}: {words}: {form}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_people_call_themselves_and_write_a_mail_stays_a_mail() {
    let world = World::empty().await;
    let providers = providers(&world).await;
    let long = "x".repeat(10_000);
    for hostile in [
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><a href=\"https://evil.example\">click</a>",
        "x\r\nBcc: all@example.com\r\n\r\nhello",
        "x\nContent-Type: text/html\n\n<b>",
        "=?utf-8?B?QmNjOiBhbGxAZXhhbXBsZS5jb20=?=",
        "a\u{202e}gpj.exe\u{2066}b\u{200f}c\u{200b}d",
        "{{ 70007 * 30011 }}{% for x in range(10) %}{{ x }}{% endfor %}{# no #}",
        "sam@evil.example <sam@evil.example>, all@example.com",
        ".\r\n.\r\nQUIT\r\n",
        "Zoë Müller 東京 🏠",
        long.as_str(),
        "ü 🏠\u{301} ".repeat(2_000).as_str(),
    ] {
        for (kind, read) in sent(&world, &providers, hostile, hostile, hostile).await {
            let name = plain_name(hostile).filter(|_| !kind.is_sealed());
            assert_eq!(
                read.sender,
                name.map_or("LeadFlow".to_owned(), |name| format!("{name} via LeadFlow")),
                "{kind:?}"
            );
            assert!(!read.sender.contains(['<', '>', '@', ':', '/', '"']) && !read.sender.contains("=?"));
            for line in [&read.sender, &read.subject] {
                assert!(!line.chars().any(char::is_control) && line.chars().count() <= 120, "{kind:?}: {line}");
            }
            for form in [&read.sender, &read.subject, &read.text, &read.html] {
                assert!(
                    !form.contains("2100980077") && !form.contains("0123456789"),
                    "{kind:?}: a template was run: {form}"
                );
                let turns =
                    |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                assert!(!form.contains(turns), "{kind:?}: {form}");
                for (at, _) in form.match_indices("://") {
                    let from = form[..at].rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
                    assert!(form[from..].starts_with("https://app.example.com/"), "{kind:?}: {}", &form[from..]);
                }
                assert!(form.len() < 40_000, "{kind:?}: {} bytes", form.len());
            }
            for tag in ["<script", "<img", "<a href=\"https://evil", "<b>"] {
                assert!(!read.html.contains(tag), "{kind:?}: {tag}: {}", read.html);
            }
            assert!(read.html.trim_end().ends_with("</html>"), "{kind:?}: {}", read.html);
        }
    }
}
