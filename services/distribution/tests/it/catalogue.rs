//! Lists of what is set up, of leads and of purchases.

use futures::future::join_all;
use leadflow_contracts::{
    common::{Logic, Outcome, Status},
    distribution::{
        CampaignRow, Category, GetCategoryRequest, GetLeadRequest, GetSubscriptionRequest, Lead, ListCampaignsRequest,
        ListCategoriesRequest, ListLeadsRequest, ListLeadsResponse, ListPurchasesRequest, ListPurchasesResponse,
        MarkViewedRequest, PurchaseStanding, PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest,
        SumByDayRequest, SumByRequest, catalogue_server::Catalogue as _, distribution_server::Distribution as _,
    },
};
use leadflow_distribution::{app::Posted, inbound::catalogue::CatalogueService};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, CategoryId, Clock as _, LeadId, SellerId, SubscriptionId};
use tonic::Code;

use crate::support::*;

async fn categories(service: &CatalogueService, seller: SellerId, request: ListCategoriesRequest) -> Vec<Category> {
    service.list_categories(as_tenant(seller, request)).await.unwrap().into_inner().categories
}

async fn campaigns(service: &CatalogueService, seller: SellerId, request: ListCampaignsRequest) -> Vec<CampaignRow> {
    service.list_campaigns(as_tenant(seller, request)).await.unwrap().into_inner().campaigns
}

async fn leads(service: &CatalogueService, seller: SellerId, request: ListLeadsRequest) -> ListLeadsResponse {
    service.list_leads(as_tenant(seller, request)).await.unwrap().into_inner()
}

async fn purchases(
    service: &CatalogueService,
    seller: SellerId,
    request: ListPurchasesRequest,
) -> ListPurchasesResponse {
    service.list_purchases(as_tenant(seller, request)).await.unwrap().into_inner()
}

fn ids(rows: &[CampaignRow]) -> Vec<String> {
    rows.iter().map(|row| row.campaign.as_ref().unwrap().campaign_id.clone()).collect()
}

fn lead_ids(leads: &[Lead]) -> Vec<String> {
    leads.iter().map(|lead| lead.decision.as_ref().unwrap().lead_id.clone()).collect()
}

#[tokio::test]
async fn categories_come_by_name_page_by_page() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let service = world.catalogue();
    for (name, status) in [("auto", Status::Active), ("Zoo", Status::Paused), ("Home", Status::Archived)] {
        let made = PutCategoryRequest {
            category_id: CategoryId::new().to_string(),
            name: name.into(),
            status: status.into(),
            ..category(tenant)
        };
        call(&app).put_category(as_tenant(tenant.seller, made)).await.unwrap();
    }
    let page = |after: &str| ListCategoriesRequest { limit: 2, after: after.into(), ..Default::default() };
    let first = categories(&service, tenant.seller, page("")).await;
    let second = categories(&service, tenant.seller, page(&first[1].category_id)).await;
    let names: Vec<&str> = first.iter().chain(&second).map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["auto", "Medicare", "Zoo"]);
    assert_eq!(categories(&service, tenant.seller, page(&second[0].category_id)).await, [], "nothing after the last");
    let all = ListCategoriesRequest { include_archived: true, limit: 500, ..Default::default() };
    assert_eq!(categories(&service, tenant.seller, all.clone()).await.len(), 4);
    assert_eq!(categories(&service, stranger.seller, all).await.len(), 1, "only his own");

    let get = |id: &str| GetCategoryRequest { category_id: id.to_owned() };
    let one = service.get_category(as_tenant(tenant.seller, get(&first[1].category_id))).await.unwrap().into_inner();
    assert_eq!((one.fields.len(), &one), (2, &first[1]));
    let foreign = service.get_category(as_tenant(stranger.seller, get(&first[1].category_id))).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "category_not_found".into()));
    let foreign = service.list_categories(as_tenant(stranger.seller, page(&first[1].category_id))).await;
    assert_eq!(refusal(foreign), (Code::NotFound, "category_not_found".into()));
}

#[tokio::test]
async fn campaigns_come_with_category_counts_and_the_subscriptions_asked_for() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let service = world.catalogue();
    let (old, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 3).await;
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let (new, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    unsubscribe(&app, tenant, old, buyers[2]).await;
    let mut posted = world.posts(tenant, old, 2);
    posted.push(Posted { test: true, ..world.post(tenant, old) });
    decide(&app, &posted).await;
    // Again: what is known is not counted anew.
    decide(&app, &posted).await;

    let ask = |subscriptions_of: &str| ListCampaignsRequest {
        subscriptions_of: subscriptions_of.to_owned(),
        limit: 10,
        ..Default::default()
    };
    let bare = campaigns(&service, tenant.seller, ask("")).await;
    assert_eq!(ids(&bare), [new.to_string(), old.to_string()], "the newest first");
    assert_eq!((bare[0].lead_count, bare[0].subscription_count), (0, 0));
    assert_eq!((bare[1].lead_count, bare[1].subscription_count), (2, 2), "without tests and without who left");
    assert_eq!(bare[1].category.as_ref().unwrap().name, "Medicare");
    assert_eq!(bare[1].created_at_ms, NOON.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis());
    assert!(bare[1].campaign.as_ref().unwrap().subscriptions.is_empty());

    let all = campaigns(&service, tenant.seller, ask("*")).await;
    let shown = &all[1].campaign.as_ref().unwrap().subscriptions;
    assert_eq!(shown.iter().map(|one| one.sold_today).collect::<Vec<_>>(), [2, 2]);
    let mut own = campaigns(&service, tenant.seller, ask(&buyers[0].to_string())).await;
    let own = own.remove(1).campaign.unwrap().subscriptions;
    assert_eq!(own.len(), 1, "a buyer does not see who else buys");
    assert_eq!((&own[0].buyer_id, &own[0]), (&buyers[0].to_string(), &shown[0]));
    world.clock.advance(chrono::TimeDelta::days(1));
    let get = GetSubscriptionRequest { subscription_id: own[0].subscription_id.clone() };
    let alone = service.get_subscription(as_tenant(tenant.seller, get)).await.unwrap().into_inner();
    assert_eq!((alone.sold_today, &alone.subscription_id), (0, &own[0].subscription_id), "another day");
    world.check_books().await;
}

#[tokio::test]
async fn campaigns_are_found_by_what_is_asked() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let service = world.catalogue();
    let other = Tenant { category: CategoryId::new(), ..tenant };
    let second = PutCategoryRequest { name: "Auto".into(), ..category(other) };
    call(&app).put_category(as_tenant(tenant.seller, second)).await.unwrap();
    let mut made = Vec::new();
    for (of, status) in
        [(tenant, Status::Active), (tenant, Status::Paused), (tenant, Status::Archived), (other, Status::Active)]
    {
        let request = PutCampaignRequest { status: status.into(), ..campaign(of, Logic::RoundRobin) };
        // All at one moment: the order is the same for every page all the same.
        made.push(put_campaign(&app, tenant, request).await.campaign_id);
    }
    let ask = || ListCampaignsRequest { limit: 200, ..Default::default() };
    let found = async |request: ListCampaignsRequest| {
        let mut found = ids(&campaigns(&service, tenant.seller, request).await);
        found.sort_unstable_by_key(|id| made.iter().position(|one| one == id));
        found
    };
    let at = |places: &[usize]| -> Vec<String> { places.iter().map(|at| made[*at].clone()).collect() };
    assert_eq!(found(ask()).await, at(&[0, 1, 3]));
    let statuses = vec![Status::Active.into(), Status::Archived.into()];
    assert_eq!(found(ListCampaignsRequest { statuses, ..ask() }).await, at(&[0, 2, 3]));
    assert_eq!(found(ListCampaignsRequest { category_id: tenant.category.to_string(), ..ask() }).await, at(&[0, 1]));
    let named = vec![made[1].clone(), made[2].clone(), CampaignId::new().to_string()];
    assert_eq!(found(ListCampaignsRequest { campaign_ids: named, ..ask() }).await, at(&[1]));
    let mut walked = Vec::new();
    loop {
        let after = walked.last().cloned().unwrap_or_default();
        let page = campaigns(&service, tenant.seller, ListCampaignsRequest { limit: 1, after, ..ask() }).await;
        if page.is_empty() {
            break;
        }
        walked.extend(ids(&page));
    }
    walked.sort_unstable_by_key(|id| made.iter().position(|one| one == id));
    assert_eq!(walked, at(&[0, 1, 3]), "each once");

    assert_eq!(campaigns(&service, stranger.seller, ask()).await, []);
    let named = ListCampaignsRequest { campaign_ids: made.clone(), subscriptions_of: "*".into(), ..ask() };
    assert_eq!(campaigns(&service, stranger.seller, named).await, []);
    for seller in [stranger.seller, tenant.seller] {
        let after = if seller == tenant.seller { CampaignId::new().to_string() } else { made[0].clone() };
        let answer = service.list_campaigns(as_tenant(seller, ListCampaignsRequest { after, ..ask() })).await;
        assert_eq!(refusal(answer), (Code::NotFound, "campaign_not_found".into()));
    }
}

#[tokio::test]
async fn leads_come_newest_first_and_by_what_is_asked() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let service = world.catalogue();
    let (sold, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 2).await;
    let (unsold, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    let mut posted = Vec::new();
    for at in 0..7 {
        world.clock.advance(chrono::TimeDelta::minutes(1));
        let mut one = world.post(tenant, if at % 2 == 0 { sold } else { unsold });
        one.unknown_fields = if at == 0 { vec!["extra".into()] } else { vec![] };
        if at == 6 {
            one.supplier = stranger.supplier;
        }
        decide(&app, std::slice::from_ref(&one)).await;
        posted.push(one);
    }
    let newest: Vec<String> = posted.iter().rev().map(|one| one.lead.to_string()).collect();
    let ask = || ListLeadsRequest { page: 1, limit: 200, ..Default::default() };
    let all = leads(&service, tenant.seller, ask()).await;
    assert_eq!((lead_ids(&all.leads), all.total), (newest.clone(), 7));
    for (number, limit) in [(1, 3), (2, 3), (3, 3), (4, 3), (7, 1)] {
        let page = leads(&service, tenant.seller, ListLeadsRequest { page: number, limit, ..ask() }).await;
        let (number, limit) = (number as usize, limit as usize);
        let wanted: Vec<String> = newest.iter().skip((number - 1) * limit).take(limit).cloned().collect();
        assert_eq!((lead_ids(&page.leads), page.total), (wanted, 7), "page {number} of {limit}");
    }
    for lead in &all.leads {
        let get = GetLeadRequest { lead_id: lead.decision.as_ref().unwrap().lead_id.clone() };
        let whole = call(&app).get_lead(as_tenant(tenant.seller, get)).await.unwrap().into_inner();
        let listed = Lead { trace: None, raw_json: Default::default(), explanation: vec![], ..whole };
        assert_eq!(*lead, listed);
    }
    assert_eq!(all.leads[0].assignments.len(), buyers.len());

    let at = |minute: usize| posted[minute].received_at.timestamp_millis();
    let many = |request: ListLeadsRequest| {
        let service = &service;
        async move {
            let found = leads(service, tenant.seller, request).await;
            assert_eq!(found.total, found.leads.len() as u64);
            found.total
        }
    };
    assert_eq!(many(ListLeadsRequest { campaign_id: sold.to_string(), ..ask() }).await, 4);
    assert_eq!(many(ListLeadsRequest { supplier_id: tenant.supplier.to_string(), ..ask() }).await, 6);
    assert_eq!(many(ListLeadsRequest { category_id: tenant.category.to_string(), ..ask() }).await, 7);
    assert_eq!(many(ListLeadsRequest { category_id: CategoryId::new().to_string(), ..ask() }).await, 0);
    assert_eq!(many(ListLeadsRequest { outcomes: vec![Outcome::Unsold.into()], ..ask() }).await, 3);
    let both = vec![Outcome::Unsold.into(), Outcome::Distributed.into(), Outcome::Rejected.into()];
    assert_eq!(many(ListLeadsRequest { outcomes: both, ..ask() }).await, 7);
    assert_eq!(many(ListLeadsRequest { from_ms: at(2), ..ask() }).await, 5);
    assert_eq!(many(ListLeadsRequest { until_ms: at(2), ..ask() }).await, 2, "its end is not in a range");
    assert_eq!(many(ListLeadsRequest { from_ms: at(2), until_ms: at(4), ..ask() }).await, 2);
    let theirs = ListLeadsRequest { campaign_id: sold.to_string(), ..ask() };
    assert_eq!(leads(&service, stranger.seller, theirs).await, ListLeadsResponse::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_sees_his_own_purchases_and_when_he_first_looked() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let service = world.catalogue();
    let (id, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 2).await;
    let mut posted = Vec::new();
    for _ in 0..3 {
        world.clock.advance(chrono::TimeDelta::minutes(1));
        posted.push(world.post(tenant, id));
        decide(&app, &posted[posted.len() - 1..]).await;
    }
    let ask = |buyer: BuyerId| ListPurchasesRequest {
        buyer_id: buyer.to_string(),
        page: 1,
        limit: 200,
        ..Default::default()
    };
    let all = purchases(&service, tenant.seller, ask(buyers[0])).await;
    assert_eq!(all.total, 3);
    let newest: Vec<String> = posted.iter().rev().map(|one| one.lead.to_string()).collect();
    assert_eq!(all.purchases.iter().map(|one| one.lead_id.clone()).collect::<Vec<_>>(), newest);
    let first = &all.purchases[0];
    assert_eq!((first.campaign_name.as_str(), first.category_name.as_str()), ("Medicare California", "Medicare"));
    assert_eq!((first.state.as_str(), first.quality.as_str(), first.viewed_at_ms), ("CA", "HOT", 0));
    assert_eq!(first.price, Some(usd("25.00")));
    assert_eq!(first.data_json, posted[2].data.as_bytes());
    assert_eq!((&first.buyer_id, &first.supplier_id), (&buyers[0].to_string(), &tenant.supplier.to_string()));
    assert_eq!(first.assigned_at_ms, world.clock.now().timestamp_millis());

    let page = ListPurchasesRequest { page: 2, limit: 2, ..ask(buyers[0]) };
    let page = purchases(&service, tenant.seller, page).await;
    assert_eq!((page.purchases.len(), page.total), (1, 3));
    let many = async |request| purchases(&service, tenant.seller, request).await.total;
    assert_eq!(many(ListPurchasesRequest { lead_id: newest[1].clone(), ..ask(buyers[0]) }).await, 1);
    assert_eq!(many(ListPurchasesRequest { category_id: tenant.category.to_string(), ..ask(buyers[0]) }).await, 3);
    assert_eq!(many(ListPurchasesRequest { category_id: stranger.category.to_string(), ..ask(buyers[0]) }).await, 0);
    assert_eq!(many(ListPurchasesRequest { from_ms: first.assigned_at_ms, ..ask(buyers[0]) }).await, 1);
    assert_eq!(many(ListPurchasesRequest { until_ms: first.assigned_at_ms, ..ask(buyers[0]) }).await, 2);
    assert_eq!(many(ask(BuyerId::new())).await, 0);
    assert_eq!(purchases(&service, stranger.seller, ask(buyers[0])).await, ListPurchasesResponse::default());

    let view = |seller: SellerId, buyer: BuyerId, id: &str| {
        let request = MarkViewedRequest { buyer_id: buyer.to_string(), assignment_id: id.to_owned() };
        service.mark_viewed(as_tenant(seller, request))
    };
    let nobodys = AssignmentId::new().to_string();
    for (seller, buyer, id) in [
        (stranger.seller, buyers[0], &first.assignment_id),
        (tenant.seller, buyers[1], &first.assignment_id),
        (tenant.seller, buyers[0], &nobodys),
    ] {
        assert_eq!(refusal(view(seller, buyer, id).await), (Code::NotFound, "assignment_not_found".into()));
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.assignment_views").await, 0);
    world.clock.advance(chrono::TimeDelta::minutes(1));
    let looked = world.clock.now().timestamp_millis();
    // Ten looks at once are one.
    for seen in join_all((0..10).map(|_| view(tenant.seller, buyers[0], &first.assignment_id))).await {
        assert_eq!(seen.unwrap().into_inner().viewed_at_ms, looked);
    }
    world.clock.advance(chrono::TimeDelta::minutes(1));
    let again = view(tenant.seller, buyers[0], &first.assignment_id).await.unwrap().into_inner();
    let standing = async |buyer, standing: PurchaseStanding| {
        many(ListPurchasesRequest { standing: standing.into(), ..ask(buyer) }).await
    };
    for (buyer, wanted, found) in [
        (buyers[0], PurchaseStanding::Viewed, 1),
        (buyers[0], PurchaseStanding::Unseen, 2),
        (buyers[0], PurchaseStanding::Returned, 0),
        (buyers[1], PurchaseStanding::Viewed, 0),
        (buyers[1], PurchaseStanding::Unseen, 3),
    ] {
        assert_eq!(standing(buyer, wanted).await, found, "{wanted:?}");
    }
    let listed = purchases(&service, tenant.seller, ask(buyers[0])).await;
    assert_eq!((again.viewed_at_ms, &again), (looked, &listed.purchases[0]));
    assert_eq!(listed.purchases[1].viewed_at_ms, 0);

    // What was bought stays, whatever becomes of that through which it was.
    unsubscribe(&app, tenant, id, buyers[0]).await;
    let over = PutCampaignRequest {
        campaign_id: id.to_string(),
        status: Status::Archived.into(),
        ..campaign(tenant, Logic::Broadcast)
    };
    put_campaign(&app, tenant, over).await;
    let gone = PutCategoryRequest { status: Status::Archived.into(), ..category(tenant) };
    call(&app).put_category(as_tenant(tenant.seller, gone)).await.unwrap();
    assert_eq!(purchases(&service, tenant.seller, ask(buyers[0])).await, listed);
    let archived = ListCampaignsRequest { statuses: vec![Status::Archived.into()], limit: 1, ..Default::default() };
    assert_eq!(campaigns(&service, tenant.seller, archived).await[0].lead_count, 3);
    assert_eq!(world.count("SELECT count(*) FROM distribution.assignment_views").await, 1);
}

#[tokio::test]
async fn a_subscription_that_has_ended_can_still_be_seen() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let service = world.catalogue();
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 1).await;
    let wanted =
        PutSubscriptionRequest { daily_cap: Some(3), ..subscription(campaign, world.buyer(&app, tenant).await) };
    let made = put_subscription(&app, tenant, wanted).await;
    decide(&app, &world.posts(tenant, campaign, 2)).await;
    let archived = PutSubscriptionRequest { status: Status::Archived.into(), ..as_put(&made) };
    put_subscription(&app, tenant, archived).await;
    let get = |id: &str| GetSubscriptionRequest { subscription_id: id.to_owned() };
    let seen =
        service.get_subscription(as_tenant(tenant.seller, get(&made.subscription_id))).await.unwrap().into_inner();
    assert_eq!((seen.status(), seen.sold_today, seen.daily_cap), (Status::Archived, 2, Some(3)));
    assert_eq!(world.bought(&buyers).await, [2]);
    for (seller, id) in
        [(stranger.seller, made.subscription_id.clone()), (tenant.seller, SubscriptionId::new().to_string())]
    {
        let answer = service.get_subscription(as_tenant(seller, get(&id))).await;
        assert_eq!(refusal(answer), (Code::NotFound, "subscription_not_found".into()));
    }
}

#[tokio::test]
async fn questions_beyond_their_bounds_are_refused_by_name() {
    const DAY: i64 = 86_400_000;
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let service = world.catalogue();
    macro_rules! refused {
        ($method:ident, $($field:literal: $request:expr),+ $(,)?) => {$(
            let status = service.$method(as_tenant(tenant.seller, $request)).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{}: {status}", $field);
            let sentence = status.message().strip_prefix("invalid_field: ").expect("a stable code");
            assert!(sentence.starts_with($field), "{}: {sentence}", $field);
        )+};
    }
    let text = |text: &str| text.to_owned();
    refused!(get_category, "category_id": GetCategoryRequest { category_id: text("") },
        "category_id": GetCategoryRequest { category_id: LeadId::new().to_string() });
    refused!(get_subscription, "subscription_id": GetSubscriptionRequest { subscription_id: text("sub_x") });
    let ask = || ListCategoriesRequest { limit: 1, ..Default::default() };
    refused!(list_categories, "limit": ListCategoriesRequest { limit: 0, ..ask() },
        "limit": ListCategoriesRequest { limit: 501, ..ask() },
        "after": ListCategoriesRequest { after: text("x"), ..ask() });
    let ask = || ListCampaignsRequest { limit: 1, ..Default::default() };
    refused!(list_campaigns, "limit": ListCampaignsRequest { limit: 0, ..ask() },
        "limit": ListCampaignsRequest { limit: 201, ..ask() },
        "after": ListCampaignsRequest { after: text("x"), ..ask() },
        "statuses": ListCampaignsRequest { statuses: vec![0], ..ask() },
        "statuses": ListCampaignsRequest { statuses: vec![99], ..ask() },
        "category_id": ListCampaignsRequest { category_id: text("x"), ..ask() },
        "subscriptions_of": ListCampaignsRequest { subscriptions_of: text("**"), ..ask() },
        "campaign_ids": ListCampaignsRequest { campaign_ids: vec![text("x")], ..ask() },
        "campaign_ids": ListCampaignsRequest { campaign_ids: vec![CampaignId::new().to_string(); 201], ..ask() });
    let ask = || ListLeadsRequest { page: 1, limit: 1, ..Default::default() };
    refused!(list_leads, "limit": ListLeadsRequest { limit: 0, ..ask() },
        "limit": ListLeadsRequest { limit: 1_000_000, ..ask() },
        "page": ListLeadsRequest { page: 0, ..ask() },
        "page": ListLeadsRequest { page: 51, limit: 200, ..ask() },
        "page": ListLeadsRequest { page: u32::MAX, limit: 200, ..ask() },
        "outcomes": ListLeadsRequest { outcomes: vec![99], ..ask() },
        "outcomes": ListLeadsRequest { outcomes: vec![Outcome::Pending.into()], ..ask() },
        "supplier_id": ListLeadsRequest { supplier_id: text("x"), ..ask() },
        "category_id": ListLeadsRequest { category_id: text("x"), ..ask() },
        "campaign_id": ListLeadsRequest { campaign_id: text("x"), ..ask() },
        "from_ms": ListLeadsRequest { from_ms: -1, ..ask() },
        "until_ms": ListLeadsRequest { from_ms: 2, until_ms: 1, ..ask() },
        "until_ms": ListLeadsRequest { until_ms: i64::MAX, ..ask() });
    let ask = || ListPurchasesRequest { buyer_id: BuyerId::new().to_string(), page: 1, limit: 1, ..Default::default() };
    refused!(list_purchases, "buyer_id": ListPurchasesRequest { buyer_id: text(""), ..ask() },
        "limit": ListPurchasesRequest { limit: 201, ..ask() },
        "page": ListPurchasesRequest { page: 0, ..ask() },
        "lead_id": ListPurchasesRequest { lead_id: text("x"), ..ask() },
        "category_id": ListPurchasesRequest { category_id: text("x"), ..ask() },
        "until_ms": ListPurchasesRequest { from_ms: 1, until_ms: 1, ..ask() });
    let ask =
        || MarkViewedRequest { buyer_id: BuyerId::new().to_string(), assignment_id: AssignmentId::new().to_string() };
    refused!(mark_viewed, "buyer_id": MarkViewedRequest { buyer_id: text(""), ..ask() },
        "assignment_id": MarkViewedRequest { assignment_id: text(""), ..ask() });
    let ask = || SumByDayRequest { from_ms: DAY, until_ms: 2 * DAY, ..Default::default() };
    refused!(sum_by_day, "from_ms": SumByDayRequest { from_ms: 0, ..ask() },
        "until_ms": SumByDayRequest { until_ms: 0, ..ask() },
        "until_ms": SumByDayRequest { until_ms: 401 * DAY + 1, ..ask() },
        "buyer_id": SumByDayRequest { buyer_id: text("x"), ..ask() },
        "supplier_id": SumByDayRequest {
            buyer_id: BuyerId::new().to_string(), supplier_id: tenant.supplier.to_string(), ..ask() });
    let ask = || SumByRequest { from_ms: DAY, until_ms: 2 * DAY, dimension: 1, ..Default::default() };
    refused!(sum_by, "from_ms": SumByRequest { from_ms: i64::MIN, ..ask() },
        "until_ms": SumByRequest { until_ms: DAY, ..ask() },
        "dimension": SumByRequest { dimension: 0, ..ask() },
        "dimension": SumByRequest { dimension: 9, ..ask() },
        "buyer_id": SumByRequest { buyer_id: text("x"), ..ask() },
        "ids": SumByRequest { ids: vec![tenant.supplier.to_string()], ..ask() },
        "ids": SumByRequest { ids: vec![BuyerId::new().to_string(); 201], ..ask() });
    let answer = service.get_category(tonic::Request::new(GetCategoryRequest::default())).await;
    assert_eq!(refusal(answer).0, Code::InvalidArgument, "without a tenant");
}
