//! Commands over gRPC: what is refused, and for whom.

use leadflow_contracts::{
    common::{DuplicateRule, FieldDef, FieldType, Logic, Status},
    distribution::{
        AssignmentRef, ConfirmAssignmentsRequest, GetCampaignRequest, GetDecisionRequest, GetLeadRequest,
        PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest, distribution_server::Distribution as _,
    },
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, CategoryId, LeadId, SellerId, SubscriptionId, SupplierId};
use tonic::{Code, Request};

use crate::support::*;

#[tokio::test]
async fn the_same_content_again_changes_nothing() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let kind = call(&app).put_category(as_tenant(tenant.seller, category(tenant))).await.unwrap().into_inner();
    assert_eq!(kind.version, 1);
    let request = campaign(tenant, Logic::Waterfall);
    let first = put_campaign(&app, tenant, request.clone()).await;
    assert_eq!((first.version, first.lead_ttl_hours), (1, 72));
    assert_eq!(put_campaign(&app, tenant, request.clone()).await, first);
    let renamed = put_campaign(&app, tenant, PutCampaignRequest { name: "Other".into(), ..request }).await;
    assert_eq!(renamed.version, 2);
    let buyer = world.buyer(&app, tenant).await;
    let wanted = PutSubscriptionRequest {
        states: vec!["ny".into(), "CA".into(), "ca".into()],
        daily_cap: Some(0),
        ..subscription(first.campaign_id.parse().unwrap(), buyer)
    };
    let made = put_subscription(&app, tenant, wanted.clone()).await;
    assert_eq!((made.version, made.daily_cap, made.states.len()), (1, Some(0), 2));
    assert_eq!(put_subscription(&app, tenant, wanted).await, made);
    let changes =
        world.count("SELECT max(seq) FROM (SELECT last_value AS seq FROM distribution.outbox_seq_seq) t").await;
    assert_eq!(changes, 4, "one event for each change: category, campaign twice, subscription");
}

#[tokio::test]
async fn malformed_records_are_refused_and_not_stored() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let field = |name: &str, kind: FieldType, options: &[&str]| FieldDef {
        name: name.to_owned(),
        r#type: kind.into(),
        options: options.iter().map(|&one| one.to_owned()).collect(),
        ..FieldDef::default()
    };
    let fresh =
        || PutCategoryRequest { category_id: CategoryId::new().to_string(), name: "New".into(), ..category(tenant) };
    let many = (0..201).map(|n| field(&format!("f{n}"), FieldType::Text, &[])).collect();
    let large = (0..200)
        .map(|n| FieldDef { description: "x".repeat(1_400), ..field(&format!("f{n}"), FieldType::Text, &[]) })
        .collect();
    for request in [
        PutCategoryRequest { fields: large, ..fresh() },
        PutCategoryRequest { category_id: "cat_".into(), ..fresh() },
        PutCategoryRequest { name: "  ".into(), ..fresh() },
        PutCategoryRequest { name: "x".repeat(201), ..fresh() },
        PutCategoryRequest { status: 0, ..fresh() },
        PutCategoryRequest { status: 99, ..fresh() },
        PutCategoryRequest { fields: many, ..fresh() },
        PutCategoryRequest { fields: vec![field("", FieldType::Text, &[])], ..fresh() },
        PutCategoryRequest { fields: vec![field("a", FieldType::Unspecified, &[])], ..fresh() },
        PutCategoryRequest { fields: vec![field("a", FieldType::Select, &[])], ..fresh() },
        PutCategoryRequest { fields: vec![field("a", FieldType::Text, &["x"])], ..fresh() },
        PutCategoryRequest {
            fields: vec![field("a", FieldType::Text, &[]), field("a", FieldType::Text, &[])],
            ..fresh()
        },
    ] {
        let answer = call(&app).put_category(as_tenant(tenant.seller, request.clone())).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()), "{request:?}");
    }
    let fresh = || campaign(tenant, Logic::RoundRobin);
    let rule = |window_days, fields: &[&str]| Some(DuplicateRule { window_days, ..no_repeats(fields) });
    for request in [
        PutCampaignRequest { campaign_id: tenant.category.to_string(), ..fresh() },
        PutCampaignRequest { name: String::new(), ..fresh() },
        PutCampaignRequest { description: "x".repeat(2_001), ..fresh() },
        PutCampaignRequest { logic: 0, ..fresh() },
        PutCampaignRequest { status: 0, ..fresh() },
        PutCampaignRequest { price: None, ..fresh() },
        PutCampaignRequest { price: Some(usd("-5")), ..fresh() },
        PutCampaignRequest { price: Some(usd("5.001")), ..fresh() },
        PutCampaignRequest { price: Some(usd("NaN")), ..fresh() },
        PutCampaignRequest { price: Some(usd("99999999999")), ..fresh() },
        PutCampaignRequest {
            price: Some(leadflow_contracts::common::Money { amount: "5".into(), currency: "EUR".into() }),
            ..fresh()
        },
        PutCampaignRequest { lead_ttl_hours: 90 * 24 + 1, ..fresh() },
        PutCampaignRequest { duplicates: rule(30, &[]), ..fresh() },
        PutCampaignRequest { duplicates: rule(4_000, &["email"]), ..fresh() },
        PutCampaignRequest { duplicates: rule(30, &["no such name!"]), ..fresh() },
    ] {
        let answer = call(&app).put_campaign(as_tenant(tenant.seller, request.clone())).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()), "{request:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.campaigns").await, 0);
    let mut closed = campaign(tenant, Logic::RoundRobin);
    closed.allow_state_selection = false;
    let id: CampaignId = put_campaign(&app, tenant, closed).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    let fresh = || subscription(id, buyer);
    for request in [
        PutSubscriptionRequest { subscription_id: "sub_1".into(), ..fresh() },
        PutSubscriptionRequest { status: 0, ..fresh() },
        PutSubscriptionRequest { states: vec!["CA".into()], ..fresh() },
        PutSubscriptionRequest { states: vec!["California".into()], ..fresh() },
        PutSubscriptionRequest { daily_cap: Some(u32::MAX), ..fresh() },
        PutSubscriptionRequest { waterfall_priority: u32::MAX, ..fresh() },
    ] {
        let answer = call(&app).put_subscription(as_tenant(tenant.seller, request.clone())).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()), "{request:?}");
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.subscriptions").await, 0);
}

#[tokio::test]
async fn what_is_archived_stays_so_and_gives_its_name_back() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign_id, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    app.decide_batch(&[world.post(tenant, campaign_id)]).await.unwrap();
    let view = call(&app)
        .get_campaign(as_tenant(tenant.seller, GetCampaignRequest { campaign_id: campaign_id.to_string() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(view.subscriptions[0].sold_today, 1);
    let mut old = PutSubscriptionRequest {
        subscription_id: view.subscriptions[0].subscription_id.clone(),
        status: Status::Archived.into(),
        ..subscription(campaign_id, buyers[0])
    };
    put_subscription(&app, tenant, old.clone()).await;
    assert_eq!(world.bought(&buyers).await, [1], "who leaves keeps his history");
    old.status = Status::Active.into();
    let answer = call(&app).put_subscription(as_tenant(tenant.seller, old)).await;
    assert_eq!(refusal(answer).0, Code::InvalidArgument);
    // But the buyer may subscribe anew, once.
    put_subscription(&app, tenant, subscription(campaign_id, buyers[0])).await;
    let twice = call(&app).put_subscription(as_tenant(tenant.seller, subscription(campaign_id, buyers[0]))).await;
    assert_eq!(refusal(twice), (Code::AlreadyExists, "already_subscribed".into()));

    let named = || PutCategoryRequest { category_id: CategoryId::new().to_string(), ..category(tenant) };
    let taken = call(&app).put_category(as_tenant(tenant.seller, named())).await;
    assert_eq!(refusal(taken), (Code::AlreadyExists, "category_name_taken".into()));
    let over = PutCampaignRequest {
        campaign_id: campaign_id.to_string(),
        status: Status::Archived.into(),
        ..campaign(tenant, Logic::RoundRobin)
    };
    put_campaign(&app, tenant, over.clone()).await;
    let again = PutCampaignRequest { status: Status::Active.into(), ..over };
    let answer = call(&app).put_campaign(as_tenant(tenant.seller, again)).await;
    assert_eq!(refusal(answer).0, Code::InvalidArgument, "an archived campaign cannot be set active again");
    let gone = PutCategoryRequest { status: Status::Archived.into(), ..category(tenant) };
    call(&app).put_category(as_tenant(tenant.seller, gone)).await.unwrap();
    call(&app).put_category(as_tenant(tenant.seller, named())).await.unwrap();
    let back = call(&app).put_category(as_tenant(tenant.seller, category(tenant))).await;
    assert_eq!(refusal(back).0, Code::InvalidArgument);
    let inactive = call(&app).put_campaign(as_tenant(tenant.seller, campaign(tenant, Logic::RoundRobin))).await;
    assert_eq!(refusal(inactive), (Code::FailedPrecondition, "category_inactive".into()));
}

#[tokio::test]
async fn who_subscribes_anew_keeps_his_place_in_the_rotation() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin] {
        let (campaign_id, buyers) = world.campaign(&app, tenant, logic, 2).await;
        for sold in 1..=8 {
            decide(&app, &[world.post(tenant, campaign_id)]).await;
            let bought = world.bought(&buyers).await;
            assert_eq!(bought.iter().sum::<usize>(), sold);
            assert!(bought[0].abs_diff(bought[1]) <= 1, "{logic:?}: {bought:?}");
            // The first buyer leaves and comes back after every lead.
            unsubscribe(&app, tenant, campaign_id, buyers[0]).await;
            world.clock.advance(chrono::TimeDelta::seconds(1));
            put_subscription(&app, tenant, subscription(campaign_id, buyers[0])).await;
        }
    }
    world.check_books().await;
}

#[tokio::test]
async fn who_subscribes_anew_has_used_up_as_much_of_his_cap() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall, Logic::Broadcast] {
        let (campaign_id, buyers) = world.campaign(&app, tenant, logic, 1).await;
        let capped = || PutSubscriptionRequest { daily_cap: Some(10), ..subscription(campaign_id, buyers[0]) };
        let anew = async |sold: u32| {
            unsubscribe(&app, tenant, campaign_id, buyers[0]).await;
            // Born archived, it is nobody's successor.
            let stillborn = PutSubscriptionRequest { status: Status::Archived.into(), ..capped() };
            put_subscription(&app, tenant, stillborn).await;
            // The clock of the replica that subscribes may be behind the others.
            world.clock.advance(chrono::TimeDelta::seconds(-1));
            let made = put_subscription(&app, tenant, capped()).await;
            assert_eq!(made.sold_today, sold, "{logic:?}");
            assert_eq!(put_subscription(&app, tenant, as_put(&made)).await.sold_today, sold, "{logic:?}");
        };
        // By three subscriptions one after the other: 4, 6 and no more.
        anew(0).await;
        decide(&app, &world.posts(tenant, campaign_id, 4)).await;
        anew(4).await;
        decide(&app, &world.posts(tenant, campaign_id, 20)).await;
        assert_eq!(world.bought(&buyers).await, [10], "{logic:?}");
        anew(10).await;
        decide(&app, &world.posts(tenant, campaign_id, 5)).await;
        world.retry(&app).await;
        assert_eq!(world.bought(&buyers).await, [10], "{logic:?}");
        // Nothing was sold by the last one; the next is not any better off.
        anew(10).await;
        decide(&app, &world.posts(tenant, campaign_id, 5)).await;
        assert_eq!(world.bought(&buyers).await, [10], "{logic:?}");
        // Another day, another count; what waits sells up to it.
        world.clock.advance(chrono::TimeDelta::days(1));
        anew(0).await;
        world.retry(&app).await;
        assert_eq!(world.bought(&buyers).await, [20], "{logic:?}");
    }
    world.check_books().await;
}

#[tokio::test]
async fn another_tenants_records_do_not_exist() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let (campaign_id, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let posted = world.post(tenant, campaign_id);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    let own = call(&app)
        .get_campaign(as_tenant(tenant.seller, GetCampaignRequest { campaign_id: campaign_id.to_string() }))
        .await
        .unwrap()
        .into_inner();
    let other = stranger.seller;
    let their_buyer = world.buyer(&app, stranger).await;
    let (theirs, _) = world.campaign(&app, stranger, Logic::RoundRobin, 0).await;

    let answer =
        call(&app).put_category(as_tenant(other, PutCategoryRequest { name: "Mine".into(), ..category(tenant) })).await;
    assert_eq!(refusal(answer), (Code::NotFound, "category_not_found".into()));
    let mut request = campaign(tenant, Logic::Broadcast);
    let answer = call(&app).put_campaign(as_tenant(other, request.clone())).await;
    assert_eq!(refusal(answer), (Code::NotFound, "category_not_found".into()));
    request = PutCampaignRequest { campaign_id: campaign_id.to_string(), ..campaign(stranger, Logic::Broadcast) };
    let answer = call(&app).put_campaign(as_tenant(other, request)).await;
    assert_eq!(refusal(answer), (Code::NotFound, "campaign_not_found".into()));
    let answer =
        call(&app).get_campaign(as_tenant(other, GetCampaignRequest { campaign_id: campaign_id.to_string() })).await;
    assert_eq!(refusal(answer), (Code::NotFound, "campaign_not_found".into()));
    for (campaign, buyer, what) in
        [(campaign_id, their_buyer, "campaign_not_found"), (theirs, buyers[0], "buyer_not_found")]
    {
        let answer = call(&app).put_subscription(as_tenant(other, subscription(campaign, buyer))).await;
        assert_eq!(refusal(answer), (Code::NotFound, what.into()));
    }
    let taken = PutSubscriptionRequest {
        subscription_id: own.subscriptions[0].subscription_id.clone(),
        ..subscription(theirs, their_buyer)
    };
    let answer = call(&app).put_subscription(as_tenant(other, taken)).await;
    assert_eq!(refusal(answer), (Code::NotFound, "subscription_not_found".into()));
    let answer = call(&app).get_lead(as_tenant(other, GetLeadRequest { lead_id: posted.lead.to_string() })).await;
    assert_eq!(refusal(answer), (Code::NotFound, "lead_not_found".into()));
    let ask = |supplier: SupplierId| GetDecisionRequest {
        lead_id: posted.lead.to_string(),
        supplier_id: supplier.to_string(),
        ..GetDecisionRequest::default()
    };
    for (seller, supplier) in [(other, tenant.supplier), (tenant.seller, stranger.supplier)] {
        let answer = call(&app).get_decision(as_tenant(seller, ask(supplier))).await;
        assert_eq!(refusal(answer), (Code::NotFound, "lead_not_found".into()));
    }
    assert!(call(&app).get_decision(as_tenant(tenant.seller, ask(tenant.supplier))).await.is_ok());
    let unchanged = call(&app)
        .get_campaign(as_tenant(tenant.seller, GetCampaignRequest { campaign_id: campaign_id.to_string() }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(unchanged, own);
}

#[tokio::test]
async fn unknown_records_and_callers_without_a_tenant_are_refused() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let unknown = SellerId::new();
    let answer = call(&app).put_category(as_tenant(unknown, category(tenant))).await;
    assert_eq!(refusal(answer), (Code::FailedPrecondition, "seller_unknown".into()));
    let answer = call(&app).put_category(Request::new(category(tenant))).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, "tenant_missing".into()));
    let answer =
        call(&app).put_subscription(as_tenant(tenant.seller, subscription(CampaignId::new(), BuyerId::new()))).await;
    assert_eq!(refusal(answer), (Code::NotFound, "buyer_not_found".into()));
    let answer =
        call(&app).get_lead(as_tenant(tenant.seller, GetLeadRequest { lead_id: LeadId::new().to_string() })).await;
    assert_eq!(refusal(answer), (Code::NotFound, "lead_not_found".into()));
    let answer = call(&app)
        .get_lead(as_tenant(tenant.seller, GetLeadRequest { lead_id: SubscriptionId::new().to_string() }))
        .await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()));
    let one =
        || AssignmentRef { assignment_id: AssignmentId::new().to_string(), campaign_id: CampaignId::new().to_string() };
    let many = ConfirmAssignmentsRequest { assignments: (0..1_001).map(|_| one()).collect() };
    let answer = call(&app).confirm_assignments(as_tenant(tenant.seller, many)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()));
}
