//! Lists of messages, as the API gives them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Account, text::Text};

const USUAL_PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;

/// Which messages are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    to: Option<String>,
    from: Option<String>,
    since: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    size: usize,
    page: usize,
    /// What was asked for, without the page.
    query: String,
}

impl Filter {
    /// Reads a query; what is not understood is passed over, as at Twilio.
    pub(crate) fn read(query: &str) -> Self {
        let mut filter = Self { size: USUAL_PAGE, ..Self::default() };
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "To" => filter.to = Some(value.to_string()),
                "From" => filter.from = Some(value.to_string()),
                "DateSent" => {
                    filter.since = day(&value).map(|(from, _)| from);
                    filter.before = day(&value).map(|(_, to)| to);
                }
                "DateSent>" => filter.since = moment(&value),
                // A day that is named belongs to it.
                "DateSent<" => filter.before = day(&value).map(|(_, to)| to).or_else(|| moment(&value)),
                "PageSize" => {
                    filter.size = value.parse().map_or(USUAL_PAGE, |size: usize| size.clamp(1, LARGEST_PAGE));
                    continue;
                }
                "Page" => {
                    filter.page = value.parse().unwrap_or(0);
                    continue;
                }
                _ => continue,
            }
            rest.append_pair(&name, &value);
        }
        filter.query = rest.finish();
        filter
    }

    fn takes(&self, text: &Text) -> bool {
        // What has not left has no day.
        let in_time = text.sent_at.is_some_and(|at| {
            self.since.is_none_or(|since| at >= since) && self.before.is_none_or(|before| at < before)
        });
        self.to.as_ref().is_none_or(|to| *to == text.to)
            && self.from.as_ref().is_none_or(|from| *from == text.from)
            && (in_time || (self.since.is_none() && self.before.is_none()))
    }

    /// One page of `texts`, which are the newest first.
    pub(super) fn page<'a>(&self, account: &Account, texts: impl Iterator<Item = &'a Text>) -> Value {
        let start = self.page.saturating_mul(self.size);
        let mut found = texts.filter(|text| self.takes(text)).skip(start);
        let messages: Vec<Value> = found.by_ref().take(self.size).map(|text| text.shown(&account.sid)).collect();
        let more = found.next().is_some();
        let uri = |page: usize| {
            let mut uri = format!("/2010-04-01/Accounts/{}/Messages.json?", account.sid);
            if !self.query.is_empty() {
                uri = format!("{uri}{}&", self.query);
            }
            format!("{uri}PageSize={}&Page={page}", self.size)
        };
        json!({
            "end": start + messages.len().saturating_sub(1),
            "first_page_uri": uri(0),
            "next_page_uri": more.then(|| uri(self.page + 1)),
            "page": self.page,
            "page_size": self.size,
            "previous_page_uri": self.page.checked_sub(1).map(uri),
            "start": start,
            "uri": uri(self.page),
            "messages": messages,
        })
    }
}

/// A day's begin and end.
fn day(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let start = text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc();
    Some((start, start + TimeDelta::days(1)))
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok().or_else(|| day(text).map(|(from, _)| from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_repeated_in_the_next_pages_address() {
        let filter = Filter::read("To=%2B12125550123&DateSent%3E=2026-11-23&PageSize=2&Page=1&PageToken=x");
        assert_eq!(filter.to.as_deref(), Some("+12125550123"));
        assert_eq!(filter.since, "2026-11-23T00:00:00Z".parse().ok());
        assert_eq!(
            (filter.size, filter.page, filter.query.as_str()),
            (2, 1, "To=%2B12125550123&DateSent%3E=2026-11-23")
        );
        // As browsers and careless clients write it.
        assert_eq!(Filter::read("DateSent>=2026-11-23T10:00:00Z").since, "2026-11-23T10:00:00Z".parse().ok());
        let one = Filter::read("DateSent=2026-11-23&PageSize=5000");
        assert_eq!(one.before, "2026-11-24T00:00:00Z".parse().ok());
        assert_eq!((one.size, Filter::read("PageSize=x").size), (1_000, 50));
    }
}
