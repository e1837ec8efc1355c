use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Letter, LetterError, Letters, template};
use crate::messages::{DaySummary, LeadNews, News, initial, plain};

/// Who reads a mail.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// In whose name it is sent; empty: the platform's.
    pub seller: &'a str,
    /// The reader's name.
    pub name: &'a str,
    /// The address is known to be his.
    pub verified: bool,
    /// IANA name; anything else is UTC.
    pub time_zone: &'a str,
    /// The page on which not to get such mails any more.
    pub unsubscribe: Option<&'a str>,
    /// Where a mail program says so for him; https.
    pub one_click: Option<&'a str>,
}

impl Letters {
    /// Writes what there is to tell.
    ///
    /// # Errors
    /// When the template fails.
    pub fn news(&self, news: &News, reader: &Reader<'_>) -> Result<Letter, LetterError> {
        let at = |time: DateTime<Utc>| when(time, reader.time_zone);
        let (subject, mut values) = match news {
            News::LeadAssigned(lead) => lead_assigned(lead, reader),
            News::LowBalance { available, threshold } => {
                (format!("Your balance is low: {available}"), json!({ "available": available, "threshold": threshold }))
            }
            News::RechargeFailed { amount, why, again_at } => (
                format!("Your card was declined: {amount}"),
                json!({ "amount": amount, "why": plain(why), "again": again_at.map(at) }),
            ),
            News::RechargeTurnedOff { why } => {
                ("Your wallet is not recharged any more".to_owned(), json!({ "why": plain(why) }))
            }
            News::PaymentActionNeeded { amount, recharge } => {
                (format!("Please confirm a payment of {amount}"), json!({ "amount": amount, "recharge": recharge }))
            }
            News::ReturnDecided { campaign, approved, reason, note, price } => {
                let subject = if *approved { "Your return was accepted" } else { "Your return was declined" };
                let facts = facts([
                    ("Campaign", plain(campaign)),
                    ("Price", price.clone()),
                    ("Your reason", plain(&reason.replace('_', " "))),
                    ("The seller's note", plain(note)),
                ]);
                (subject.to_owned(), json!({ "approved": approved, "price": price, "facts": facts }))
            }
            News::EndpointDisabled { why, failing_since } => {
                let values = json!({ "why": plain(why).trim_end_matches('.'), "since": failing_since.map(at) });
                ("Your webhook was switched off".to_owned(), values)
            }
            News::DailySummary(day) => daily_summary(day),
        };
        values["unsubscribe"] = reader.unsubscribe.into();
        let letter = self.letter(template(news.kind()), reader.seller, reader.name, &subject, values)?;
        Ok(Letter { one_click: reader.one_click.map(str::to_owned), ..letter })
    }
}

fn lead_assigned(lead: &LeadNews, reader: &Reader<'_>) -> (String, Value) {
    let (campaign, state) = (plain(&lead.campaign), plain(&lead.state));
    let place = if state.is_empty() { String::new() } else { format!(", {state}") };
    // To whom an address belongs that nobody confirmed is not known: it is told of whom in no more than a letter.
    let person = if reader.verified { String::new() } else { initial(&lead.first_name) };
    let facts = facts([
        ("Campaign", campaign.clone()),
        ("Category", plain(&lead.category)),
        ("Name", person),
        ("State", state),
        ("Quality", plain(&lead.quality).to_lowercase()),
        ("Price", lead.price.clone()),
        ("Bought", when(lead.sold_at, reader.time_zone)),
    ]);
    let fields: Vec<_> =
        if reader.verified { lead.fields.iter().map(|(l, v)| (plain(l), plain(v))).collect() } else { Vec::new() };
    (format!("New lead: {campaign}{place}"), json!({ "facts": facts, "fields": fields, "verified": reader.verified }))
}

fn daily_summary(day: &DaySummary) -> (String, Value) {
    let some = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    let facts = facts([
        ("Leads bought", day.leads.to_string()),
        ("Spent", day.spent.clone()),
        ("Given back", some(day.returned)),
        ("Sent to your system", some(day.delivered)),
        ("Not taken by your system", some(day.gave_up)),
        ("Left in your wallet", day.available.clone().unwrap_or_default()),
    ]);
    let leads = match day.leads {
        0 => "no new lead".to_owned(),
        1 => "one lead".to_owned(),
        many => format!("{many} leads"),
    };
    (format!("{}: {leads}", day.day.format("%A, %-d %B")), json!({ "facts": facts }))
}

/// What is empty is left out.
fn facts<const N: usize>(all: [(&str, String); N]) -> Vec<(&str, String)> {
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// A moment as it is read where the reader is.
fn when(time: DateTime<Utc>, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    time.with_timezone(&zone).format("%a %-d %b %Y, %H:%M %Z").to_string()
}
