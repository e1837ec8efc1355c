//! What the catalogue answers, in the contract's form.

use leadflow_contracts::{
    distribution::{self as wire, DaySum, Sum, SumByDayResponse, SumByResponse},
    money_to_proto, time_to_ms,
};
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, Currency, LeadId, ReturnId, SellerId, SubscriptionId, SupplierId,
};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::convert::{campaign_to_proto, category_to_proto, subscription_to_proto};
use crate::{
    app::{Days, Sums, decision},
    store::{
        catalogue::{
            campaigns::ListedCampaign,
            leads::ListedLead,
            purchases::PurchaseRow,
            sums::{By, DayRow, SumRow},
        },
        columns,
        records::Subscription,
        show::SaleRow,
    },
};

/// A campaign in a list.
pub fn campaign((listed, subscriptions): &(ListedCampaign, Vec<(Subscription, u32)>)) -> wire::CampaignRow {
    let subscriptions = subscriptions.iter().map(|(one, sold)| subscription_to_proto(one, *sold)).collect();
    wire::CampaignRow {
        campaign: Some(campaign_to_proto(&listed.campaign, subscriptions)),
        category: Some(category_to_proto(&listed.category)),
        subscription_count: listed.subscriptions,
        lead_count: listed.leads,
        created_at_ms: time_to_ms(listed.created_at),
    }
}

/// What became of the wish to undo a sale, if there was one.
fn return_state(stored: Option<&str>) -> Result<wire::ReturnState, sqlx::Error> {
    let state = stored.map(columns::return_state).transpose()?;
    Ok(state.map_or(wire::ReturnState::Unspecified, super::returns::state_to_proto))
}

fn return_id(id: Option<Uuid>) -> String {
    id.map_or_else(String::new, |id| ReturnId::from_uuid(id).to_string())
}

/// A sale of a lead.
pub fn sale(sale: SaleRow) -> Result<wire::LeadAssignment, sqlx::Error> {
    Ok(wire::LeadAssignment {
        assignment_id: AssignmentId::from_uuid(sale.assignment_id).to_string(),
        buyer_id: BuyerId::from_uuid(sale.buyer_id).to_string(),
        subscription_id: SubscriptionId::from_uuid(sale.subscription_id).to_string(),
        price: Some(money_to_proto(columns::money(sale.price, &sale.currency)?)),
        assigned_at_ms: time_to_ms(sale.assigned_at),
        return_state: return_state(sale.return_state.as_deref())?.into(),
        return_id: return_id(sale.return_id),
    })
}

/// Names in a lead's data that its category does not define.
pub fn unknown_fields(json: Option<&str>) -> Result<Vec<String>, sqlx::Error> {
    json.map_or_else(
        || Ok(Vec::new()),
        |json| serde_json::from_str(json).map_err(|_| columns::impossible("unknown_fields")),
    )
}

/// A lead in a list.
pub fn lead(lead: ListedLead, sales: Vec<SaleRow>) -> Result<wire::Lead, sqlx::Error> {
    Ok(wire::Lead {
        decision: Some(decision(&lead.verdict()?)),
        seller_id: SellerId::from_uuid(lead.seller_id).to_string(),
        supplier_id: SupplierId::from_uuid(lead.supplier_id).to_string(),
        campaign_id: CampaignId::from_uuid(lead.campaign_id).to_string(),
        category_id: CategoryId::from_uuid(lead.category_id).to_string(),
        unknown_fields: unknown_fields(lead.unknown_fields.as_deref())?,
        state: lead.state,
        quality: lead.quality,
        data_json: lead.data.into(),
        received_at_ms: time_to_ms(lead.received_at),
        decided_at_ms: time_to_ms(lead.decided_at),
        expires_at_ms: lead.expires_at.map_or(0, time_to_ms),
        assignments: sales.into_iter().map(sale).collect::<Result<_, _>>()?,
        masked_at_ms: lead.masked_at.map_or(0, time_to_ms),
        ..wire::Lead::default()
    })
}

/// A purchase.
pub fn purchase(row: PurchaseRow) -> Result<wire::Purchase, sqlx::Error> {
    Ok(wire::Purchase {
        assignment_id: AssignmentId::from_uuid(row.assignment_id).to_string(),
        lead_id: LeadId::from_uuid(row.lead_id).to_string(),
        campaign_id: CampaignId::from_uuid(row.campaign_id).to_string(),
        campaign_name: row.campaign_name,
        category_id: CategoryId::from_uuid(row.category_id).to_string(),
        category_name: row.category_name,
        buyer_id: BuyerId::from_uuid(row.buyer_id).to_string(),
        supplier_id: SupplierId::from_uuid(row.supplier_id).to_string(),
        data_json: row.data.into(),
        state: row.state,
        quality: row.quality,
        price: Some(money_to_proto(columns::money(row.price, &row.currency)?)),
        assigned_at_ms: time_to_ms(row.assigned_at),
        viewed_at_ms: row.viewed_at.map_or(0, time_to_ms),
        return_state: return_state(row.return_state.as_deref())?.into(),
        return_id: return_id(row.return_id),
        masked_at_ms: row.masked_at.map_or(0, time_to_ms),
    })
}

/// Sums by day: a day without anything has zeros.
pub fn days(found: &Days) -> Result<SumByDayResponse, sqlx::Error> {
    let day = |(date, row): &(chrono::NaiveDate, Option<DayRow>)| {
        let [leads, sold, rejected, assignments, returned] =
            row.as_ref().map_or([0; 5], |row| [row.leads, row.sold, row.rejected, row.assignments, row.returned]);
        let revenue = row.as_ref().map_or(Decimal::ZERO, |row| row.revenue);
        Ok(DaySum {
            day: date.to_string(),
            leads: number(leads)?,
            sold: number(sold)?,
            assignments: number(assignments)?,
            revenue: Some(revenue_to_proto(revenue, found.currency)?),
            rejected: number(rejected)?,
            returned: number(returned)?,
        })
    };
    Ok(SumByDayResponse { days: found.days.iter().map(day).collect::<Result<_, sqlx::Error>>()? })
}

/// Sums by something: what has nothing has zeros.
pub fn sums(found: &Sums, by: By) -> Result<SumByResponse, sqlx::Error> {
    let sum = |(id, row): &(Uuid, Option<SumRow>)| {
        let [leads, sold, assignments, returned] =
            row.as_ref().map_or([0; 4], |row| [row.leads, row.sold, row.assignments, row.returned]);
        let revenue = row.as_ref().map_or(Decimal::ZERO, |row| row.revenue);
        Ok(Sum {
            id: id_text(by, *id),
            leads: number(leads)?,
            sold: number(sold)?,
            assignments: number(assignments)?,
            revenue: Some(revenue_to_proto(revenue, found.currency)?),
            last_at_ms: row.as_ref().map_or(0, |row| time_to_ms(row.last_at)),
            returned: number(returned)?,
        })
    };
    Ok(SumByResponse { sums: found.sums.iter().map(sum).collect::<Result<_, sqlx::Error>>()? })
}

fn id_text(by: By, id: Uuid) -> String {
    match by {
        By::Buyer => BuyerId::from_uuid(id).to_string(),
        By::Supplier => SupplierId::from_uuid(id).to_string(),
        By::Campaign => CampaignId::from_uuid(id).to_string(),
        By::Category => CategoryId::from_uuid(id).to_string(),
    }
}

fn number(count: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(count).map_err(|_| columns::impossible("count"))
}

fn revenue_to_proto(amount: Decimal, currency: Currency) -> Result<leadflow_contracts::common::Money, sqlx::Error> {
    columns::money(amount, currency.code()).map(money_to_proto)
}
