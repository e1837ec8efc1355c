//! What sellers pay for messages that were sent for them: their report, and the terms that administrators choose.

use std::collections::HashMap;

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::GetSellerRequest,
    billing::{
        GetUsageRequest, GetUsageTermsRequest, SetUsageTermsRequest, UsageOfBuyer, UsageOfKind, UsagePosting, UsageSum,
        UsageTerm, UsageTerms,
    },
    events,
};
use leadflow_kernel::SellerId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ADMINS, OK};
use crate::http::{
    Api,
    input::{Body, PathId},
    problem::Problem,
    session::Me,
    table::Route,
    values::{Dollars, Exact, Time},
};

pub(in crate::http) fn routes() -> Vec<Route> {
    let path = "/api/admin/sellers/{id}/usage-terms";
    vec![
        Route::get(path, ADMINS, "What a tenant pays for messages", show).answers::<OneTerms>(OK, "The terms"),
        Route::put(path, ADMINS, "Choose what a tenant pays on top of messages' costs, from now on", choose)
            .body::<Markups>()
            .answers::<TermsAnswer>(OK, "The terms of what is sent from now on"),
    ]
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum UsageKind {
    /// A mail to a person.
    Email,
    /// A text message; its units are segments.
    Sms,
    /// A delivery of a lead that arrived, whatever it took.
    Webhook,
}

impl UsageKind {
    const fn of(kind: events::UsageKind) -> Self {
        match kind {
            events::UsageKind::Sms => Self::Sms,
            events::UsageKind::Webhook => Self::Webhook,
            events::UsageKind::Email | events::UsageKind::Unspecified => Self::Email,
        }
    }
}

/// Exact amounts in the tenant's currency; they are rounded to a cent once, when a month is posted.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageTotals)]
struct Totals {
    messages: u64,
    /// What is paid for: segments of text messages, else messages.
    units: u64,
    /// Of the units, those without a price in the tenant's currency: they are in no amount, and are paid when there is one.
    unpriced: u64,
    /// What they cost the platform.
    base: Exact,
    /// What is paid on top.
    markup: Exact,
    total: Exact,
    /// Of the total, what is in the ledger.
    posted: Exact,
}

impl Totals {
    fn of(sum: Option<UsageSum>) -> Self {
        let sum = sum.unwrap_or_default();
        Self {
            messages: sum.messages,
            units: sum.units,
            unpriced: sum.unpriced_units,
            base: Exact::of(sum.base),
            markup: Exact::of(sum.markup),
            total: Exact::of(sum.total),
            posted: Exact::of(sum.posted),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageMonth)]
struct Month {
    /// On the seller's calendar: `2026-11`.
    month: String,
    kind: UsageKind,
    #[serde(flatten)]
    totals: Totals,
}

impl Month {
    fn of(row: UsageOfKind) -> Self {
        Self { kind: UsageKind::of(row.kind()), month: row.month, totals: Totals::of(row.sum) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageRow)]
struct Row {
    /// The buyer's; null for what was not for a buyer.
    id: Option<String>,
    /// Null while it cannot be looked up, and for what was not for a buyer.
    name: Option<String>,
    #[serde(flatten)]
    totals: Totals,
}

impl Row {
    fn of(row: UsageOfBuyer, names: &HashMap<String, String>) -> Self {
        let id = Some(row.buyer_id).filter(|id| !id.is_empty());
        Self { name: id.as_ref().and_then(|id| names.get(id).cloned()), id, totals: Totals::of(row.sum) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsagePosting)]
struct Posted {
    /// What was unposted at its end: of it, and what came too late for those before.
    month: String,
    id: String,
    amount: Dollars,
    at: Option<Time>,
}

impl Posted {
    fn of(posting: UsagePosting) -> Self {
        Self {
            month: posting.month,
            id: posting.posting_id,
            amount: Dollars::of(posting.amount.as_ref()),
            at: Time::from_ms(posting.at_ms),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageTerm)]
struct Term {
    kind: UsageKind,
    /// Of one unit; null: there is no price in the tenant's currency.
    cost: Option<Exact>,
    markup_percent: Exact,
    /// Nobody has chosen another markup.
    usual: bool,
}

impl Term {
    fn of(term: UsageTerm) -> Self {
        Self {
            kind: UsageKind::of(term.kind()),
            cost: Some(term.cost).filter(|cost| !cost.is_empty()).map(Exact::of),
            markup_percent: Exact::of(term.markup_percent),
            usual: term.usual,
        }
    }

    fn all(terms: Vec<UsageTerm>) -> Vec<Self> {
        terms.into_iter().map(Self::of).collect()
    }
}

/// What a seller's messages cost: the whole months that the range touches.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageReport {
    /// Always `usage`.
    r#type: UsageType,
    /// The tenant's, which all amounts are in: `USD`.
    currency: String,
    start_date: Option<Time>,
    /// The report ends before this, or at the end of its month.
    end_date: Option<Time>,
    overview: Totals,
    /// By month and kind, the newest month first.
    months: Vec<Month>,
    /// The 200 buyers with the highest totals.
    rows: Vec<Row>,
    /// What is in the ledger for these months.
    postings: Vec<Posted>,
    /// Of messages that are sent now.
    terms: Vec<Term>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UsageType {
    Usage,
}

/// The report of a seller; `names` are asked for beside it.
pub(super) async fn report(
    api: &Api,
    tenant: SellerId,
    (from_ms, until_ms): (i64, i64),
    names: impl Future<Output = HashMap<String, String>>,
) -> Result<UsageReport, Problem> {
    let request = api.services.request(tenant, GetUsageRequest { from_ms, until_ms });
    let mut usage = api.services.usage();
    let (report, names) = futures::join!(usage.get_usage(request), names);
    let report = report?.into_inner();
    Ok(UsageReport {
        r#type: UsageType::Usage,
        currency: report.currency,
        start_date: Time::from_ms(from_ms),
        end_date: Time::from_ms(until_ms),
        overview: Totals::of(report.sum),
        months: report.kinds.into_iter().map(Month::of).collect(),
        rows: report.buyers.into_iter().map(|row| Row::of(row, &names)).collect(),
        postings: report.postings.into_iter().map(Posted::of).collect(),
        terms: Term::all(report.terms.unwrap_or_default().terms),
    })
}

#[derive(Serialize, ToSchema)]
struct OneTerms {
    /// The tenant's, which costs are in.
    currency: String,
    terms: Vec<Term>,
}

#[derive(Serialize, ToSchema)]
struct TermsAnswer {
    message: &'static str,
    /// The tenant's, which costs are in.
    currency: String,
    terms: Vec<Term>,
}

/// What a tenant pays on top, in percent: 0 to 999 with at most four decimals. Absent or null is the usual: 15 on mails,
/// 20 on text messages, 0 on webhooks.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageMarkups)]
struct Markups {
    email_markup_percent: Option<Exact>,
    sms_markup_percent: Option<Exact>,
    webhook_markup_percent: Option<Exact>,
}

async fn show(State(api): State<Api>, PathId(id): PathId<SellerId>) -> Result<Json<OneTerms>, Problem> {
    exists(&api, id).await?;
    let terms = api.services.usage().get_usage_terms(api.services.request(id, GetUsageTermsRequest {})).await?;
    let UsageTerms { terms, currency } = terms.into_inner();
    Ok(Json(OneTerms { currency, terms: Term::all(terms) }))
}

async fn choose(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<SellerId>,
    Body(markups): Body<Markups>,
) -> Result<Json<TermsAnswer>, Problem> {
    exists(&api, id).await?;
    let text = |percent: Option<Exact>| percent.map(Exact::into_text);
    let message = SetUsageTermsRequest {
        email_markup_percent: text(markups.email_markup_percent),
        sms_markup_percent: text(markups.sms_markup_percent),
        webhook_markup_percent: text(markups.webhook_markup_percent),
    };
    let terms = api.services.usage().set_usage_terms(api.services.request_by(&me.user, id, message)).await?;
    let UsageTerms { terms, currency } = terms.into_inner();
    Ok(Json(TermsAnswer { message: "The terms hold from now on", currency, terms: Term::all(terms) }))
}

/// Billing has terms for whoever is asked about: whether there is such a tenant, accounts knows.
async fn exists(api: &Api, id: SellerId) -> Result<(), Problem> {
    let message = GetSellerRequest { seller_id: id.to_string() };
    api.services.accounts().get_seller(api.services.unbound(message)).await?;
    Ok(())
}
