//! Sums of leads and money, as services count them.

use std::collections::HashMap;

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::{ListBuyersRequest, ListSuppliersRequest, Role},
    common,
    distribution::{
        DaySum, Dimension, ListCampaignsRequest, ListCategoriesRequest, Sum, SumByDayRequest, SumByRequest,
    },
    optional_money,
};
use leadflow_kernel::{Currency, Money, SellerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    OK, TENANT,
    usage::{self, UsageReport},
};
use crate::http::{
    Api, dates,
    input::Query,
    problem::{Problem, away, bad_query},
    session::Me,
    table::Route,
    values::{Dollars, Time},
};

const USUAL_DAYS: u32 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows whose names are looked up.
const NAMED: u32 = 200;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/reports", TENANT, "Leads and money by day, and by what the report is about", show)
            .query::<Asked>()
            .answers::<Answer>(OK, "The report"),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReportType)]
enum About {
    /// By category.
    Overview,
    /// Of a buyer, by campaign.
    Spending,
    /// Of a buyer, by category.
    Leads,
    /// Of a seller, by campaign.
    Revenue,
    /// Of a seller, by buyer.
    Buyers,
    /// Of a seller, by supplier.
    Suppliers,
    /// Of a seller: messages that were sent, and what they cost, by month, kind and buyer.
    Usage,
}

impl About {
    fn dimension(self, role: Role) -> Option<Dimension> {
        match (role, self) {
            (_, Self::Overview) | (Role::Buyer, Self::Leads) => Some(Dimension::Category),
            (Role::Buyer, Self::Spending) | (Role::Seller, Self::Revenue) => Some(Dimension::Campaign),
            (Role::Seller, Self::Buyers) => Some(Dimension::Buyer),
            (Role::Seller, Self::Suppliers) => Some(Dimension::Supplier),
            _ => None,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportQuestion)]
struct Asked {
    /// `overview` when not given.
    r#type: Option<About>,
    /// The last days, 1 to 366; 30 when not given.
    #[schema(minimum = 1, maximum = 366)]
    days: Option<u32>,
    /// Instead of days: a day or a moment.
    start_date: Option<String>,
    /// Instead of days: a day, which is included, or a moment.
    end_date: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Totals {
    leads: u64,
    sold: u64,
    rejected: u64,
    assignments: u64,
    /// Of these assignments, those that were undone.
    returned: u64,
    /// What buyers paid; of a buyer, what he spent. What was returned is taken off the day of its sale.
    amount: Dollars,
}

#[derive(Serialize, ToSchema)]
struct Day {
    /// In the seller's time zone.
    date: String,
    leads: u64,
    sold: u64,
    rejected: u64,
    assignments: u64,
    returned: u64,
    amount: Dollars,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportRow)]
struct Row {
    id: String,
    /// Null while it cannot be looked up.
    name: Option<String>,
    leads: u64,
    sold: u64,
    assignments: u64,
    returned: u64,
    amount: Dollars,
    last_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Report {
    r#type: About,
    start_date: Option<Time>,
    /// The report ends before this.
    end_date: Option<Time>,
    overview: Totals,
    days: Vec<Day>,
    /// The 200 with the most sales.
    rows: Vec<Row>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ReportAnswer)]
enum Answer {
    /// Of type `usage`.
    Usage(UsageReport),
    /// Of the other types.
    Leads(Report),
}

async fn show(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Json<Answer>, Problem> {
    let about = asked.r#type.unwrap_or(About::Overview);
    if me.role() == Role::Seller && about == About::Usage {
        let (tenant, range) = (me.tenant()?, range(&api, &asked)?);
        let report = usage::report(&api, tenant, range, buyers(&api, tenant)).await?;
        return Ok(Json(Answer::Usage(report)));
    }
    let dimension = about.dimension(me.role()).ok_or_else(|| bad_query("there is no such report for your role"))?;
    let (from_ms, until_ms) = range(&api, &asked)?;
    let tenant = me.tenant()?;
    let buyer_id = if me.role() == Role::Buyer { me.buyer()?.to_string() } else { String::new() };
    let by_day = SumByDayRequest { from_ms, until_ms, buyer_id: buyer_id.clone(), supplier_id: String::new() };
    let by = SumByRequest { from_ms, until_ms, dimension: dimension.into(), buyer_id, ids: Vec::new() };
    let (mut one, mut other) = (api.services.catalogue(), api.services.catalogue());
    let (days, sums) = futures::try_join!(
        one.sum_by_day(api.services.request(tenant, by_day)),
        other.sum_by(api.services.request(tenant, by)),
    )?;
    let (days, sums) = (days.into_inner().days, sums.into_inner().sums);
    let overview = totals(&days)?;
    let names = names(&api, tenant, dimension, &sums).await;
    Ok(Json(Answer::Leads(Report {
        r#type: about,
        start_date: Time::from_ms(from_ms),
        end_date: Time::from_ms(until_ms),
        overview,
        days: days.into_iter().map(day).collect(),
        rows: sums.into_iter().map(|sum| row(sum, &names)).collect(),
    })))
}

fn range(api: &Api, asked: &Asked) -> Result<(i64, i64), Problem> {
    let (from, until) = dates::bounds(asked.start_date.as_deref(), asked.end_date.as_deref())?;
    let now = api.clock.now().timestamp_millis();
    let days = asked.days.unwrap_or(USUAL_DAYS);
    if !(1..=366).contains(&days) {
        return Err(bad_query("days must be 1 to 366"));
    }
    let until = if until == 0 { now + 1 } else { until };
    let from = if from == 0 { until - i64::from(days) * DAY_MS } else { from };
    if from >= until {
        return Err(bad_query("startDate must be before endDate, and not in the future"));
    }
    if until - from > i64::from(dates::MAX_DAYS) * DAY_MS {
        return Err(bad_query(format!("a report is about at most {} days", dates::MAX_DAYS)));
    }
    Ok((from, until))
}

fn totals(days: &[DaySum]) -> Result<Totals, Problem> {
    let mut sum = Money::zero(Currency::USD);
    for day in days {
        let amount = optional_money(day.revenue.as_ref(), "revenue").map_err(|_| away())?;
        if let Some(amount) = amount {
            sum = sum.try_add(amount).map_err(|_| away())?;
        }
    }
    let count = |number: fn(&DaySum) -> u64| days.iter().map(number).sum();
    Ok(Totals {
        leads: count(|day| day.leads),
        sold: count(|day| day.sold),
        rejected: count(|day| day.rejected),
        assignments: count(|day| day.assignments),
        returned: count(|day| day.returned),
        amount: Dollars::of(Some(&leadflow_contracts::money_to_proto(sum))),
    })
}

fn day(day: DaySum) -> Day {
    Day {
        date: day.day,
        leads: day.leads,
        sold: day.sold,
        rejected: day.rejected,
        assignments: day.assignments,
        returned: day.returned,
        amount: Dollars::of(day.revenue.as_ref()),
    }
}

fn row(sum: Sum, names: &HashMap<String, String>) -> Row {
    Row {
        name: names.get(&sum.id).cloned(),
        id: sum.id,
        leads: sum.leads,
        sold: sum.sold,
        assignments: sum.assignments,
        returned: sum.returned,
        amount: Dollars::of(sum.revenue.as_ref()),
        last_at: Time::from_ms(sum.last_at_ms),
    }
}

/// Names of what the rows are about; none while they cannot be had.
async fn names(api: &Api, tenant: SellerId, dimension: Dimension, sums: &[Sum]) -> HashMap<String, String> {
    let services = &api.services;
    match dimension {
        _ if sums.is_empty() => HashMap::new(),
        Dimension::Campaign => {
            let every = [common::Status::Active, common::Status::Paused, common::Status::Archived];
            let message = ListCampaignsRequest {
                statuses: every.map(Into::into).to_vec(),
                campaign_ids: sums.iter().map(|sum| sum.id.clone()).collect(),
                limit: NAMED,
                ..Default::default()
            };
            let listed = services.catalogue().list_campaigns(services.request(tenant, message)).await;
            let rows = listed.map(|answer| answer.into_inner().campaigns).unwrap_or_default();
            rows.into_iter().filter_map(|row| row.campaign).map(|one| (one.campaign_id, one.name)).collect()
        }
        Dimension::Category => {
            let message = ListCategoriesRequest { include_archived: true, limit: NAMED, after: String::new() };
            let listed = services.catalogue().list_categories(services.request(tenant, message)).await;
            let rows = listed.map(|answer| answer.into_inner().categories).unwrap_or_default();
            rows.into_iter().map(|one| (one.category_id, one.name)).collect()
        }
        Dimension::Buyer => buyers(api, tenant).await,
        Dimension::Supplier | Dimension::Unspecified => {
            let message = ListSuppliersRequest { limit: NAMED, after: String::new() };
            let listed = services.accounts().list_suppliers(services.request(tenant, message)).await;
            let rows = listed.map(|answer| answer.into_inner().suppliers).unwrap_or_default();
            rows.into_iter().map(|one| (one.supplier_id, one.name)).collect()
        }
    }
}

/// Names of buyers; none while they cannot be had.
async fn buyers(api: &Api, tenant: SellerId) -> HashMap<String, String> {
    let services = &api.services;
    let message = ListBuyersRequest { limit: NAMED, after: String::new() };
    let listed = services.accounts().list_buyers(services.request(tenant, message)).await;
    let rows = listed.map(|answer| answer.into_inner().buyers).unwrap_or_default();
    rows.into_iter().map(|one| (one.buyer_id, one.company_name)).collect()
}
