//! What sellers and buyers may change, given what hangs on it.

use leadflow_contracts::{
    common::{DuplicateRule, FieldDef, FieldType, Logic, Outcome, Status},
    distribution::{
        Campaign, ListCampaignsRequest, ListPurchasesRequest, PutCampaignRequest, PutCategoryRequest,
        PutSubscriptionRequest, catalogue_server::Catalogue as _, distribution_server::Distribution as _,
    },
};
use leadflow_distribution::app::App;
use leadflow_kernel::{CampaignId, CategoryId, SubscriptionId};
use tonic::Code;

use crate::support::*;

async fn put_category(app: &App, tenant: Tenant, request: PutCategoryRequest) -> Result<u64, (Code, String)> {
    match call(app).put_category(as_tenant(tenant.seller, request)).await {
        Ok(answer) => Ok(answer.into_inner().version),
        refused => Err(refusal(refused)),
    }
}

fn in_use(code: &str) -> Result<u64, (Code, String)> {
    Err((Code::FailedPrecondition, code.to_owned()))
}

/// The request that writes a campaign as it is.
fn as_put(made: Campaign) -> PutCampaignRequest {
    PutCampaignRequest {
        status: made.status,
        logic: made.logic,
        campaign_id: made.campaign_id,
        category_id: made.category_id,
        name: made.name,
        description: made.description,
        price: made.price,
        allow_state_selection: made.allow_state_selection,
        duplicates: made.duplicates,
        lead_ttl_hours: made.lead_ttl_hours,
        returns: made.returns,
        expected_version: None,
    }
}

#[tokio::test]
async fn a_field_by_which_a_campaign_knows_duplicates_stays() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let request = PutCampaignRequest {
        duplicates: Some(no_repeats(&["email"])),
        status: Status::Paused.into(),
        ..campaign(tenant, Logic::RoundRobin)
    };
    let made = put_campaign(&app, tenant, request).await;
    let without = PutCategoryRequest { fields: category(tenant).fields[1..].to_vec(), ..category(tenant) };
    let mut retyped = category(tenant);
    retyped.fields[0].r#type = FieldType::Text.into();
    for change in [&without, &retyped] {
        assert_eq!(put_category(&app, tenant, change.clone()).await, in_use("field_in_use"));
    }
    let answer = call(&app).put_category(as_tenant(tenant.seller, without.clone())).await.unwrap_err();
    assert!(answer.message().contains("email") && answer.message().contains("Medicare California"), "{answer}");
    // What nobody's rule looks at may change.
    let mut more = category(tenant);
    more.fields[0].required = true;
    more.fields[1] = FieldDef { name: "age".into(), r#type: FieldType::Number.into(), ..FieldDef::default() };
    assert_eq!(put_category(&app, tenant, more).await, Ok(2));
    // With another rule, or when the campaign is over, the field may go.
    let off = PutCampaignRequest { duplicates: None, ..as_put(made.clone()) };
    put_campaign(&app, tenant, off).await;
    assert_eq!(put_category(&app, tenant, without.clone()).await, Ok(3));
    // And a rule cannot look at what is not there.
    for of in [
        as_put(made),
        PutCampaignRequest { duplicates: Some(no_repeats(&["email"])), ..campaign(tenant, Logic::Broadcast) },
    ] {
        let answer = call(&app).put_campaign(as_tenant(tenant.seller, of)).await.unwrap_err();
        assert_eq!(answer.code(), Code::InvalidArgument);
        assert!(answer.message().contains("duplicates.fields has email"), "{answer}");
    }
}

#[tokio::test]
async fn a_category_with_campaigns_is_not_archived() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let gone = || PutCategoryRequest { status: Status::Archived.into(), ..category(tenant) };
    for status in [Status::Active, Status::Paused] {
        let request = PutCampaignRequest { status: status.into(), ..campaign(tenant, Logic::RoundRobin) };
        let made = put_campaign(&app, tenant, request).await;
        assert_eq!(put_category(&app, tenant, gone()).await, in_use("category_in_use"));
        let over = PutCampaignRequest { status: Status::Archived.into(), ..as_put(made) };
        put_campaign(&app, tenant, over).await;
    }
    let paused = PutCategoryRequest { status: Status::Paused.into(), ..category(tenant) };
    assert_eq!(put_category(&app, tenant, paused).await, Ok(2));
    assert_eq!(put_category(&app, tenant, gone()).await, Ok(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_category_archived_and_used_at_once_is_one_of_the_two() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let tenant = world.tenant(&app).await;
    for round in 0..20 {
        let tenant = Tenant { category: CategoryId::new(), ..tenant };
        let made = PutCategoryRequest { name: format!("Round {round}"), ..category(tenant) };
        put_category(&app, tenant, made.clone()).await.unwrap();
        let archived = PutCategoryRequest { status: Status::Archived.into(), ..made };
        let user = call(&other);
        let (used, archived) = tokio::join!(
            user.put_campaign(as_tenant(tenant.seller, campaign(tenant, Logic::RoundRobin))),
            put_category(&app, tenant, archived),
        );
        assert_ne!(used.is_ok(), archived.is_ok(), "{archived:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_one_categorys_at_a_time() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let tenant = world.tenant(&app).await;
    let taken = Err((Code::AlreadyExists, "category_name_taken".to_owned()));
    let named = |name: &str| PutCategoryRequest {
        category_id: CategoryId::new().to_string(),
        name: name.to_owned(),
        ..category(tenant)
    };
    let auto = named("Auto");
    put_category(&app, tenant, auto.clone()).await.unwrap();
    for name in ["Medicare", " medicare ", "MEDICARE"] {
        let renamed = PutCategoryRequest { name: name.to_owned(), ..auto.clone() };
        assert_eq!(put_category(&app, tenant, renamed).await, taken);
    }
    put_category(&app, tenant, PutCategoryRequest { status: Status::Archived.into(), ..category(tenant) })
        .await
        .unwrap();
    let renamed = PutCategoryRequest { name: "medicare".into(), ..auto };
    assert_eq!(put_category(&app, tenant, renamed).await, Ok(2), "the name of an archived one is free");
    let stranger = world.tenant(&app).await;
    assert_eq!(put_category(&app, stranger, category(stranger)).await, Ok(1), "each tenant has its own names");
    for round in 0..10 {
        let name = format!("Round {round}");
        let (one, two) =
            tokio::join!(put_category(&app, tenant, named(&name)), put_category(&other, tenant, named(&name)),);
        assert!(matches!((&one, &two), (Ok(1), Err(_)) | (Err(_), Ok(1))), "{one:?} {two:?}");
        assert_eq!(if one.is_ok() { two } else { one }, taken);
    }
}

#[tokio::test]
async fn a_lead_may_cost_nothing() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    for price in ["0", "0.00"] {
        let free = PutCampaignRequest { price: Some(usd(price)), ..campaign(tenant, Logic::RoundRobin) };
        let made = put_campaign(&app, tenant, free).await;
        assert_eq!(made.price, Some(usd("0.00")));
        let id: CampaignId = made.campaign_id.parse().unwrap();
        let buyer = world.buyer(&app, tenant).await;
        put_subscription(&app, tenant, subscription(id, buyer)).await;
        let posted = world.post(tenant, id);
        decide(&app, std::slice::from_ref(&posted)).await;
        assert_eq!(decision(&app, &posted).await.price, Some(usd("0.00")));
        let ask = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 10, ..Default::default() };
        let bought = world.catalogue().list_purchases(as_tenant(tenant.seller, ask)).await.unwrap().into_inner();
        assert_eq!((bought.total, &bought.purchases[0].price), (1, &Some(usd("0.00"))));
    }
    world.check_books().await;
}

#[tokio::test]
async fn states_count_only_while_the_campaign_allows_them() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let made = put_campaign(&app, tenant, campaign(tenant, Logic::RoundRobin)).await;
    let id: CampaignId = made.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    let wanted = PutSubscriptionRequest { states: vec!["ny".into()], ..subscription(id, buyer) };
    let stored = put_subscription(&app, tenant, wanted.clone()).await;
    let first = world.post(tenant, id);
    decide(&app, std::slice::from_ref(&first)).await;
    assert_eq!(outcome(&app, &first).await.0, Outcome::Unsold, "he wants New York only");
    let off = PutCampaignRequest { allow_state_selection: false, ..as_put(made.clone()) };
    put_campaign(&app, tenant, off).await;
    // What waits is looked at again, and new ones sell too.
    world.retry(&app).await;
    decide(&app, &[world.post(tenant, id)]).await;
    assert_eq!(world.bought(&[buyer]).await, [2]);
    // What is stored may stay with other changes; nothing else can be chosen but to give it up.
    let capped = PutSubscriptionRequest { daily_cap: Some(9), ..wanted.clone() };
    assert_eq!(put_subscription(&app, tenant, capped.clone()).await.states, stored.states);
    let others = PutSubscriptionRequest { states: vec!["CA".into()], ..wanted.clone() };
    let answer = call(&app).put_subscription(as_tenant(tenant.seller, others)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()));
    put_campaign(&app, tenant, as_put(made)).await;
    let third = world.post(tenant, id);
    decide(&app, std::slice::from_ref(&third)).await;
    assert_eq!(outcome(&app, &third).await.0, Outcome::Unsold, "allowed again, they count again");
    let none = PutSubscriptionRequest { states: vec![], ..capped };
    assert!(put_subscription(&app, tenant, none).await.states.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn subscribing_twice_at_once_is_one_subscription() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let tenant = world.tenant(&app).await;
    let (id, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    for round in 0..20 {
        let buyer = world.buyer(&app, tenant).await;
        let one = subscription(id, buyer);
        // Another request, or a repeat of the same.
        let another = round % 2 == 0;
        let again = if another { SubscriptionId::new().to_string() } else { one.subscription_id.clone() };
        let two = PutSubscriptionRequest { subscription_id: again, ..one.clone() };
        let (first, second) = (call(&app), call(&other));
        let (first, second) = tokio::join!(
            first.put_subscription(as_tenant(tenant.seller, one)),
            second.put_subscription(as_tenant(tenant.seller, two)),
        );
        if another {
            assert_ne!(first.is_ok(), second.is_ok());
            let refused = if first.is_ok() { second } else { first };
            assert_eq!(refusal(refused), (Code::AlreadyExists, "already_subscribed".into()));
        } else {
            assert_eq!(first.unwrap().into_inner(), second.unwrap().into_inner());
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.subscriptions").await, 20);
    let ask = ListCampaignsRequest { limit: 1, ..Default::default() };
    let listed = world.catalogue().list_campaigns(as_tenant(tenant.seller, ask)).await.unwrap().into_inner();
    assert_eq!(listed.campaigns[0].subscription_count, 20);
}

#[tokio::test]
async fn a_place_that_the_seller_fixed_is_not_taken_by_a_buyer() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (id, _) = world.campaign(&app, tenant, Logic::Waterfall, 0).await;
    let (pushy, fixed, demoted) =
        (world.buyer(&app, tenant).await, world.buyer(&app, tenant).await, world.buyer(&app, tenant).await);
    for (buyer, asked, by_seller) in [(pushy, 1, 0), (fixed, 0, 1), (demoted, 1, 9)] {
        let wanted = PutSubscriptionRequest {
            waterfall_priority: asked,
            seller_waterfall_priority: by_seller,
            ..subscription(id, buyer)
        };
        put_subscription(&app, tenant, wanted).await;
        world.purse.set(buyer, 1);
    }
    for bought in [[0, 1, 0], [1, 1, 0], [1, 1, 1]] {
        decide(&app, &[world.post(tenant, id)]).await;
        assert_eq!(world.bought(&[pushy, fixed, demoted]).await, bought);
    }
}

#[tokio::test]
async fn field_definitions_are_checked() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let field = |name: &str, kind: FieldType, options: &[&str]| FieldDef {
        name: name.to_owned(),
        r#type: kind.into(),
        options: options.iter().map(|&one| one.to_owned()).collect(),
        ..FieldDef::default()
    };
    let with = |fields: Vec<FieldDef>| PutCategoryRequest { fields, ..category(tenant) };
    for (wrong, fields) in [
        ("fields[0].name", vec![field("first name", FieldType::Text, &[])]),
        ("fields[1].name", vec![field("a", FieldType::Text, &[]), field("a", FieldType::Email, &[])]),
        ("fields[0].type", vec![FieldDef { r#type: 99, ..field("a", FieldType::Text, &[]) }]),
        ("fields[0].options", vec![field("a", FieldType::Select, &["x", "x"])]),
        ("fields[0].options", vec![field("a", FieldType::Select, &[" x"])]),
        ("fields[0].options", vec![field("a", FieldType::Boolean, &["yes"])]),
        (
            "fields[0].description",
            vec![FieldDef { description: "x".repeat(2_001), ..field("a", FieldType::Text, &[]) }],
        ),
    ] {
        let answer = call(&app).put_category(as_tenant(tenant.seller, with(fields))).await.unwrap_err();
        assert_eq!(answer.code(), Code::InvalidArgument);
        assert!(answer.message().starts_with(&format!("invalid_field: {wrong}")), "{wrong}: {answer}");
    }
    let rule = DuplicateRule { fields: vec!["zip".into()], ..no_repeats(&[]) };
    let request = PutCampaignRequest { duplicates: Some(rule), ..campaign(tenant, Logic::RoundRobin) };
    let answer = call(&app).put_campaign(as_tenant(tenant.seller, request)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()));
    assert_eq!(put_category(&app, tenant, with(vec![field("zip", FieldType::Select, &["a", "b c"])])).await, Ok(2));
}
