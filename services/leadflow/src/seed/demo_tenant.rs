//! The tenant that `up` makes, so that there is something to post to. Its ids are always the same; run
//! again, it changes nothing that is there.

use leadflow_contracts::common::{FieldDef, FieldType, Logic, Status};
use leadflow_kernel::{CampaignId, CategoryId, Id, Kind, SupplierId};
use serde_json::json;

use super::{BuyerSpec, CampaignSpec, Market, Places, SubscriptionSpec};

/// What the demo tenant's supplier needs to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    /// The header `X-API-Key`.
    pub supplier_key: String,
    /// Where its leads go.
    pub campaign_id: CampaignId,
    /// A body that the campaign accepts, as JSON.
    pub body: String,
}

struct Buyer {
    name: &'static str,
    hook: &'static str,
    priority: u32,
    states: &'static [&'static str],
}

const BUYERS: [Buyer; 3] = [
    Buyer { name: "XYZ Agency", hook: "xyz-agency", priority: 8, states: &["CA", "NY", "TX"] },
    Buyer { name: "Golden State Seniors", hook: "golden-state-seniors", priority: 5, states: &["CA"] },
    Buyer { name: "Nationwide Medigap", hook: "nationwide-medigap", priority: 3, states: &[] },
];

/// Characters of a key that its hint shows.
const HINT: usize = 8;

fn always<K: Kind>(name: &str) -> Id<K> {
    Id::derive(&[b"demo tenant", name.as_bytes()])
}

/// Makes the demo tenant, or what is missing of it. `known_key` is the supplier's key from an earlier
/// run; while it works it is kept, otherwise a new one takes its place.
///
/// # Errors
/// When a service cannot be reached or refuses; the text is for a person.
pub async fn demo_tenant(places: Places, known_key: Option<&str>) -> anyhow::Result<Seeded> {
    let market = Market::new(places, always("seller"))?;
    let supplier_id: SupplierId = always("supplier");
    let category_id: CategoryId = always("category");
    let campaign_id: CampaignId = always("campaign");

    market.create_seller("Acme Leads", 0).await?;
    // The subscriptions come last, so all of them say that everything else is there.
    let there = market.campaign(campaign_id).await?;
    let complete = there.is_some_and(|campaign| campaign.subscriptions.len() >= BUYERS.len());
    if !complete {
        make(&market, category_id, campaign_id).await?;
    }
    for buyer in &BUYERS {
        market.tell_secret(always(buyer.hook), buyer.hook).await?;
    }
    let supplier = market.create_supplier(supplier_id, "Clicks Inc", &[category_id], 0).await?;
    let works = |key: &&str| {
        let mut live = supplier.keys.iter().filter(|info| info.revoked_at_ms == 0 && info.expires_at_ms == 0);
        live.any(|info| key.get(..HINT) == Some(info.hint.as_str()))
    };
    let supplier_key = match known_key.filter(works) {
        Some(key) => key.to_owned(),
        None => market.new_key(supplier_id).await?,
    };
    market.wait_for_gateway(&supplier_key, campaign_id).await?;
    Ok(Seeded { supplier_key, campaign_id, body: body(campaign_id, category_id) })
}

async fn make(market: &Market, category_id: CategoryId, campaign_id: CampaignId) -> anyhow::Result<()> {
    market.put_category(category_id, "Medicare Supplement", fields()).await?;
    let campaign = CampaignSpec {
        id: campaign_id,
        category: category_id,
        name: "Medicare Leads - California".to_owned(),
        logic: Logic::WeightedRoundRobin,
        price: "25.00".to_owned(),
        // Pasting the same line again shall sell again.
        duplicate_days: 0,
    };
    market.put_campaign(&campaign).await?;
    for buyer in &BUYERS {
        let spec = BuyerSpec {
            id: always(buyer.hook),
            name: buyer.name.to_owned(),
            priority: buyer.priority,
            funds: "10000.00".to_owned(),
            weekly_limit: None,
            hook: buyer.hook.to_owned(),
        };
        market.create_buyer(&spec).await?;
    }
    for buyer in &BUYERS {
        let spec = SubscriptionSpec {
            id: always(buyer.hook),
            campaign: campaign_id,
            buyer: always(buyer.hook),
            daily_cap: None,
            states: buyer.states.iter().map(|&state| state.to_owned()).collect(),
            waterfall: 0,
        };
        market.put_subscription(&spec, Status::Active).await?;
    }
    Ok(())
}

/// The fields of the product's example category.
pub fn fields() -> Vec<FieldDef> {
    let field = |name: &str, kind: FieldType, required| FieldDef {
        name: name.to_owned(),
        r#type: kind.into(),
        required,
        description: String::new(),
        options: Vec::new(),
    };
    vec![
        field("firstName", FieldType::Text, true),
        field("lastName", FieldType::Text, true),
        field("email", FieldType::Email, true),
        field("phone", FieldType::Phone, true),
        field("age", FieldType::Number, true),
        field("coverage", FieldType::Text, false),
    ]
}

/// The lead of the product's description.
fn body(campaign: CampaignId, category: CategoryId) -> String {
    json!({
        "campaignId": campaign,
        "categoryId": category,
        "state": "CA",
        "quality": "HOT",
        "data": {
            "firstName": "John",
            "lastName": "Doe",
            "email": "john@example.com",
            "phone": "+1234567890",
            "age": 45,
            "coverage": "Medicare Supplement",
        },
    })
    .to_string()
}
