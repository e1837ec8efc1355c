//! Every text message as it is sent, beside its golden file in `tests/texts` (`UPDATE_LETTERS=1 cargo test -p leadflow-notifier-domain`
//! writes them), and what hostile or long values cannot do to it.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use leadflow_notifier_domain::{Alphabet, LeadNews, MessageKind, News, Text, Texts, Wishes, segments};
use proptest::prelude::*;

fn at() -> DateTime<Utc> {
    "2026-11-23T19:05:00Z".parse().unwrap()
}

fn lead(first: &str, last: &str, state: &str, campaign: &str) -> News {
    News::LeadAssigned(LeadNews {
        lead: "lead_1".into(),
        campaign: campaign.into(),
        category: "Solar".into(),
        state: state.into(),
        quality: "HOT".into(),
        price: "$25.00".into(),
        sold_at: at(),
        first_name: first.into(),
        last_name: last.into(),
        fields: vec![("Email".into(), "john@example.com".into()), ("Phone".into(), "+15550100199".into())],
    })
}

fn news() -> Vec<(&'static str, News)> {
    let declined =
        |again_at| News::RechargeFailed { amount: "$25.00".into(), why: "The card is stolen.".into(), again_at };
    vec![
        ("lead_assigned", lead("John", "O'Neil", "CA", "Solar West")),
        ("low_balance", News::LowBalance { available: "$9.50".into(), threshold: "$50.00".into() }),
        ("recharge_failed", declined(Some(at()))),
        ("recharge_failed_for_good", declined(None)),
        ("recharge_turned_off", News::RechargeTurnedOff { why: "three times".into() }),
        ("payment_action_needed", News::PaymentActionNeeded { amount: "$25.00".into(), recharge: true }),
    ]
}

fn write(news: &News, seller: &str) -> Text {
    let text = Texts::new().unwrap().news(news, seller, "America/New_York").unwrap().unwrap();
    assert_eq!(text.segments, segments(&text.body));
    text
}

#[test]
fn every_text_is_as_it_was_looked_at() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/texts");
    let long = || {
        lead(
            "Maximiliane Alexandra",
            "von Hohenlohe-Langenburg",
            "CA",
            "Solar panels and batteries for homes in the west of California",
        )
    };
    let others = vec![
        ("lead_assigned_long", long(), "The Very Long Name of a Company of Acme Solar Brothers"),
        ("lead_assigned_accents", lead("Łukasz", "Żółć-Müller", "CA", "“Sun” – for you…"), "Acmé Sólar"),
        (
            "lead_assigned_cyrillic",
            lead("Александра", "Константинопольская", "NY", "Solar panels for the whole city of New York"),
            "Acme Solar",
        ),
        ("lead_assigned_nameless", lead("", "", "", "Solar West"), "https://evil.example"),
        ("low_balance_cyrillic", news().remove(1).1, "Солнечная компания Москвы"),
    ];
    let usual = news().into_iter().map(|(name, news)| (name, news, "Acme Solar"));
    for (name, news, seller) in usual.chain(others) {
        let text = write(&news, seller);
        let written = format!("{}\n", text.body);
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_LETTERS").is_some() {
            fs::write(&path, &written).unwrap();
        }
        assert_eq!(written, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
        assert_eq!(text.segments, 1, "{name}: {}", text.body);
    }
}

#[test]
fn what_can_be_chosen_can_be_written_and_nothing_else() {
    let texts = Texts::new().unwrap();
    let all = Wishes { sms_on_lead: true, sms_on_low_balance: true, ..Wishes::default() };
    let mut written: Vec<_> = news().iter().map(|(_, news)| news.kind()).collect();
    written.dedup();
    let wanted: Vec<_> =
        MessageKind::ALL.into_iter().filter(|kind| all.want(leadflow_notifier_domain::Channel::Sms, *kind)).collect();
    assert_eq!(written, wanted);
    let off = News::EndpointDisabled { why: "x".into(), failing_since: None };
    assert_eq!(texts.news(&off, "Acme", "UTC").unwrap(), None);
}

#[test]
fn of_a_lead_nothing_is_told_but_name_state_and_campaign() {
    let body = write(&lead("John", "O'Neil", "CA", "Solar West"), "Acme").body;
    for secret in ["john@", "555", "25.00", "HOT", "lead_1"] {
        assert!(!body.contains(secret), "{body}");
    }
    // Whoever writes an address or a number in place of a name.
    let body = write(&lead("john@example.com", "+1 (555) 010-0199", "https://x.example", "Solar"), "Acme").body;
    assert_eq!(body, "Acme: New lead (Solar). Reply STOP to end.");
}

proptest! {
    #[test]
    fn whatever_it_says_it_is_one_harmless_line(first in ".{0,60}", last in ".{0,60}", state in ".{0,20}", campaign in ".{0,90}", seller in ".{0,90}") {
        let text = write(&lead(&first, &last, &state, &format!("{campaign} www.evil.com")), &seller);
        prop_assert!(!text.body.chars().any(char::is_control), "{:?}", text.body);
        prop_assert!(!text.body.contains("://") && !text.body.contains(".com") && !text.body.contains('@'), "{}", text.body);
        prop_assert!(text.segments <= 2, "{}", text.body);
    }

    #[test]
    fn in_latin_letters_it_is_one_segment(first in "[ -~À-ſ‘’“”–—…]{0,60}", campaign in "[ -~À-ſ‘’“”–—…]{0,90}", seller in "[ -~À-ſ]{0,90}") {
        let text = write(&lead(&first, "", "CA", &campaign), &seller);
        prop_assert_eq!(Alphabet::of(&text.body), Alphabet::Gsm7, "{}", text.body);
        prop_assert_eq!(text.segments, 1);
        prop_assert!(text.body.contains("New lead"));
    }
}
