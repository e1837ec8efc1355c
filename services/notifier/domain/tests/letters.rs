//! Every mail as it is sent, beside its golden files in `tests/letters` (`UPDATE_LETTERS=1 cargo test -p leadflow-notifier-domain` writes
//! them: look at them with `make letters`, and commit them), and what hostile values cannot do to it.

use std::{collections::BTreeSet, fs, path::PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_notifier_domain::{
    DaySummary, LeadNews, Letter, Letters, MessageKind, News, Reader, amount, person, readable_fields,
};
use serde_json::json;

const APP: &str = "https://app.example.com/";
const UNSUBSCRIBE: &str = "https://app.example.com/unsubscribe?token=abc.def";

fn letters() -> Letters {
    Letters::new(APP.to_owned()).unwrap()
}

fn at() -> DateTime<Utc> {
    "2026-11-23T19:05:00Z".parse().unwrap()
}

/// News in which every word is `word`, unless it is empty.
fn news(word: &str) -> Vec<(&'static str, News)> {
    let say = |usual: &str| if word.is_empty() { usual.to_owned() } else { word.to_owned() };
    let price = || amount(leadflow_kernel::Money::parse("25", leadflow_kernel::Currency::USD).unwrap());
    let data = json!({
        "firstName": say("John"), "lastName": say("O'Neil"), "email": say("john@example.com"), "phone": say("+15550100199"),
        "roof_type": say("flat & wide"), "kW": 3.5,
    });
    let data = data.as_object().unwrap();
    let (first_name, last_name) = person(data);
    let lead = LeadNews {
        lead: "lead_1".into(),
        campaign: say("Solar West"),
        category: say("Solar"),
        state: say("CA"),
        quality: say("HOT"),
        price: price(),
        sold_at: at(),
        first_name,
        last_name,
        fields: readable_fields(data),
    };
    let decided = |approved| News::ReturnDecided {
        campaign: say("Solar West"),
        approved,
        reason: say("wrong_number"),
        note: say("We called it, too."),
        price: price(),
    };
    let summary = DaySummary {
        day: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
        leads: 12,
        spent: "$300.00".into(),
        returned: 1,
        delivered: 11,
        gave_up: 1,
        available: Some("$45.50".into()),
    };
    vec![
        ("lead_assigned", News::LeadAssigned(lead)),
        ("low_balance", News::LowBalance { available: "$9.50".into(), threshold: "$50.00".into() }),
        (
            "recharge_failed",
            News::RechargeFailed { amount: price(), why: say("The card has too little money."), again_at: Some(at()) },
        ),
        ("recharge_turned_off", News::RechargeTurnedOff { why: say("The card was declined three times.") }),
        ("payment_action_needed", News::PaymentActionNeeded { amount: price(), recharge: true }),
        ("return_accepted", decided(true)),
        ("return_declined", decided(false)),
        (
            "endpoint_disabled",
            News::EndpointDisabled { why: say("every attempt failed for five days"), failing_since: Some(at()) },
        ),
        ("daily_summary", News::DailySummary(summary)),
    ]
}

fn reader<'a>(seller: &'a str, name: &'a str, verified: bool) -> Reader<'a> {
    Reader { seller, name, verified, time_zone: "America/New_York", unsubscribe: None, one_click: None }
}

/// Every mail there is, by name.
fn every(seller: &str, name: &str, word: &str) -> Vec<(String, Letter)> {
    let letters = letters();
    let mut all = Vec::new();
    for (file, news) in news(word) {
        let unsubscribe = (news.kind() == MessageKind::DailySummary).then_some(UNSUBSCRIBE);
        let reader = Reader { unsubscribe, ..reader(seller, name, true) };
        all.push((file.to_owned(), letters.news(&news, &reader).unwrap()));
        if news.kind() == MessageKind::LeadAssigned {
            let reader = Reader { verified: false, ..reader };
            all.push((format!("{file}_unverified"), letters.news(&news, &reader).unwrap()));
        }
    }
    for kind in MessageKind::ALL.into_iter().filter(|kind| kind.is_sealed()) {
        let company = if kind == MessageKind::ResetPassword || kind == MessageKind::VerifyEmail { "" } else { seller };
        let link = format!("https://app.example.com/{}?token=abc&a=b", kind.page().unwrap());
        let letter = letters.access(kind, name, company, &link).unwrap().unwrap();
        assert!(letter.text.contains(&format!("\n{link}\n")), "{}", letter.text);
        assert!(letter.html.contains(&format!("href=\"{}\"", link.replace('&', "&amp;"))), "{}", letter.html);
        all.push((kind.code().to_lowercase(), letter));
    }
    all
}

#[test]
fn every_mail_is_as_it_was_looked_at() {
    for (name, letter) in every("Acme Solar", "Sam Lee", "") {
        let text = format!("From: {}\nSubject: {}\n\n{}", letter.sender, letter.subject, letter.text);
        golden(&format!("{name}.txt"), &text);
        golden(&format!("{name}.html"), &letter.html);
    }
}

/// The same where others wrote what they should not have: to be seen, not only compared.
#[test]
fn every_mail_with_hostile_words_is_as_it_was_looked_at() {
    let long = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(10);
    for (what, word) in [
        (
            "markup",
            "</td></table><script>alert(1)</script><img src=\"https://evil.example/x.png\" onerror=\"alert(1)\">",
        ),
        ("turned", "\u{202e}moc.elpmaxe \u{2066}שלום\u{200f} עולם"),
        ("long", &long),
    ] {
        for (name, letter) in every(word, word, word) {
            // What others wrote is in the others nowhere.
            if ["lead_assigned", "return_declined", "recharge_failed", "endpoint_disabled", "team_invitation"]
                .contains(&name.as_str())
            {
                golden(&format!("hostile/{what}_{name}.html"), &letter.html);
            }
        }
    }
}

fn golden(name: &str, now: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/letters").join(name);
    if std::env::var_os("UPDATE_LETTERS").is_some() {
        fs::write(&path, now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, golden, "{}", path.display());
}

#[test]
fn every_kind_was_looked_at_in_both_its_forms() {
    let written: BTreeSet<String> = every("Acme Solar", "Sam Lee", "").into_iter().map(|(name, _)| name).collect();
    for kind in MessageKind::ALL {
        let name = kind.code().to_lowercase();
        let of_kind = match kind {
            MessageKind::ReturnDecided => vec!["return_accepted".to_owned(), "return_declined".to_owned()],
            _ => vec![name],
        };
        assert!(of_kind.iter().all(|name| written.contains(name)), "{kind:?}");
    }
    // And no golden file is of a mail that is not sent any more.
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/letters");
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|file| file.path().is_file());
    let golden: BTreeSet<String> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    assert_eq!(golden, written.iter().flat_map(|name| [format!("{name}.html"), format!("{name}.txt")]).collect());
}

/// What a mail program shows as a link or loads, beside our own links.
fn foreign(text: &str) -> Vec<&str> {
    let ours = ["https://app.example.com/"];
    text.match_indices("://")
        .map(|(at, _)| &text[text[..at].rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1)..])
        .filter(|rest| !ours.iter().any(|ours| rest.starts_with(ours)))
        .collect()
}

#[test]
fn no_value_injects_markup_or_links_into_any_mail() {
    for hostile in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><a href=\"https://evil.example\">click</a>",
        "'></td></table><b>bold</b>",
        "https://evil.example/pay?x=1",
        "www.evil.example",
        "{{ 70007 * 30011 }}{% include 'base.html' %}",
        "x\r\nBcc: all@example.com\r\n\r\nhello",
        "&lt;b&gt; &#x2f;",
        "<!-- --><style>*{display:none}</style>",
    ] {
        let usual = every("Acme Solar", "Sam Lee", "");
        for ((name, letter), (_, usual)) in every(hostile, hostile, hostile).iter().zip(usual) {
            let tags = |html: &str| html.matches('<').count();
            // Names are left out where they are no names, and their places with them.
            assert!(tags(&letter.html) <= tags(&usual.html), "{name}: {hostile}: {}", letter.html);
            for word in ["<script", "<img", "<b>", "onerror=alert(1)>", "<style>*", "<!-- --"] {
                assert!(!letter.html.contains(word), "{name}: {hostile}: {}", letter.html);
            }
            for text in [&letter.html, &letter.text, &letter.subject, &letter.sender] {
                assert!(!text.contains("2100980077") && !text.contains("evil.example"), "{name}: {hostile}: {text}");
                assert_eq!(foreign(text), Vec::<&str>::new(), "{name}: {hostile}");
            }
            for line in [&letter.subject, &letter.sender] {
                assert!(!line.chars().any(char::is_control), "{name}: {hostile}: {line}");
            }
            assert_eq!(letter.sender, "LeadFlow", "{name}: a name that is no name");
        }
    }
}

#[test]
fn who_did_not_confirm_his_address_learns_nothing_of_the_person_but_a_letter() {
    let (_, lead) = &news("")[0];
    let letter = letters().news(lead, &reader("Acme", "Sam", false)).unwrap();
    for text in [&letter.html, &letter.text] {
        for secret in ["John", "O'Neil", "O&#x27;Neil", "john@example.com", "5550100199", "flat"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        for told in ["J.", "CA", "Solar West", "$25.00", "confirm"] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }
    let letter = letters().news(lead, &reader("Acme", "Sam", true)).unwrap();
    for text in [&letter.html, &letter.text] {
        for told in ["John", "john@example.com", "+15550100199", "Roof type"] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }
}

#[test]
fn an_invitation_says_who_invites_if_that_is_a_name() {
    let letter = |company| letters().access(MessageKind::TeamInvitation, "", company, APP).unwrap().unwrap();
    assert!(
        letter("O'Neil Ltd").text.contains("\n\nInvited by: O'Neil Ltd\n\nIf you"),
        "{}",
        letter("O'Neil Ltd").text
    );
    assert!(letter("O'Neil Ltd").html.contains("Invited by: O&#x27;Neil Ltd"));
    for company in ["evil.example", "https://evil.example", "", "a\r\nb: c"] {
        assert!(!letter(company).text.contains("Invited by"), "{company}");
    }
}

#[test]
fn times_are_the_readers() {
    let news = News::RechargeFailed { amount: "$5.00".into(), why: String::new(), again_at: Some(at()) };
    for (zone, wanted) in [("America/New_York", "14:05 EST"), ("Europe/Zurich", "20:05 CET"), ("no such", "19:05 UTC")]
    {
        let letter = letters().news(&news, &Reader { time_zone: zone, ..reader("Acme", "Sam", true) }).unwrap();
        assert!(letter.text.contains(wanted), "{}", letter.text);
    }
}
