//! Undoing sales: who may, when, what for, what is told, and what the day's cap makes of it.

use chrono::TimeDelta;
use leadflow_contracts::{
    common::Logic,
    distribution::{
        DecideReturnRequest, Dimension, GetReturnRequest, ListLeadsRequest, ListPurchasesRequest, ListReturnsRequest,
        Purchase, PutCampaignRequest, RequestReturnRequest, Return, ReturnPolicy, ReturnState, SumByDayRequest,
        SumByRequest, catalogue_server::Catalogue as _, distribution_server::Distribution as _,
        returns_server::Returns as _,
    },
    events::LeadReturned,
    subjects,
};
use leadflow_distribution::{app::App, inbound::returns::ReturnsService};
use leadflow_kernel::{BuyerId, CampaignId, Clock as _, ReturnId};
use leadflow_messaging::CoreMessages;
use prost::Message as _;
use tonic::Code;

use crate::support::*;

/// One buyer with `sold` leads of a campaign that takes back by `policy`.
async fn market(world: &World, app: &App, policy: ReturnPolicy, sold: usize) -> (Tenant, CampaignId, BuyerId) {
    let tenant = world.tenant(app).await;
    let (campaign, buyers) = world.campaign(app, tenant, Logic::RoundRobin, 1).await;
    take_back(app, tenant, campaign, policy).await;
    decide(app, &world.posts(tenant, campaign, sold)).await;
    (tenant, campaign, buyers[0])
}

async fn purchases(world: &World, tenant: Tenant, buyer: BuyerId) -> Vec<Purchase> {
    let wanted = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 200, ..Default::default() };
    world.catalogue().list_purchases(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner().purchases
}

async fn ask(service: &ReturnsService, tenant: Tenant, wish: RequestReturnRequest) -> Result<Return, (Code, String)> {
    match service.request_return(as_tenant(tenant.seller, wish)).await {
        Ok(made) => Ok(made.into_inner()),
        refused => Err(refusal(refused)),
    }
}

async fn decide_return(
    service: &ReturnsService,
    tenant: Tenant,
    id: &str,
    approve: bool,
) -> Result<Return, (Code, String)> {
    let wanted = DecideReturnRequest { return_id: id.to_owned(), approve, note: "as agreed".to_owned() };
    match service.decide_return(as_tenant(tenant.seller, wanted)).await {
        Ok(decided) => Ok(decided.into_inner()),
        refused => Err(refusal(refused)),
    }
}

fn refused(code: &str) -> Result<Return, (Code, String)> {
    Err((Code::FailedPrecondition, code.to_owned()))
}

async fn told(messages: &mut CoreMessages) -> LeadReturned {
    let payload = tokio::time::timeout(PATIENCE, messages.next()).await.expect("an event").unwrap();
    LeadReturned::decode(payload).unwrap()
}

#[tokio::test]
async fn a_return_is_asked_for_decided_and_told_once() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, buyer) = market(&world, &app, policy(), 3).await;
    let service = world.returns(&app);
    let mut returned = world.bus.subscribe_core(subjects::LEAD_RETURNED).await.unwrap();
    let bought = purchases(&world, tenant, buyer).await;
    assert_eq!(bought[0].return_state(), ReturnState::Unspecified);
    let wanted = wish(buyer, &bought[0].assignment_id);
    let asked = ask(&service, tenant, wanted.clone()).await.unwrap();
    assert_eq!(
        (asked.state(), asked.reason.as_str(), asked.note.as_str()),
        (ReturnState::Requested, "wrong_number", "rings at a bakery")
    );
    assert_eq!((asked.price.clone(), asked.campaign_name.as_str()), (Some(usd("25.00")), "Medicare California"));
    assert_eq!((asked.decided_at_ms, asked.automatic, asked.lead_id.clone()), (0, false, bought[0].lead_id.clone()));
    assert_eq!(ask(&service, tenant, wanted.clone()).await, Ok(asked.clone()), "the same request again");
    let anew = wish(buyer, &bought[0].assignment_id);
    assert_eq!(ask(&service, tenant, anew).await, Err((Code::AlreadyExists, "already_returned".into())));
    let stolen = RequestReturnRequest { return_id: wanted.return_id.clone(), ..wish(buyer, &bought[1].assignment_id) };
    assert_eq!(ask(&service, tenant, stolen).await, Err((Code::AlreadyExists, "id_taken".into())));

    world.clock.advance(TimeDelta::minutes(1));
    let approved = decide_return(&service, tenant, &asked.return_id, true).await.unwrap();
    assert_eq!((approved.state(), approved.decision_note.as_str()), (ReturnState::Approved, "as agreed"));
    assert_eq!(approved.decided_at_ms, world.clock.now().timestamp_millis());
    let event = told(&mut returned).await;
    assert_eq!(
        (event.return_id.as_str(), event.assignment_id.as_str()),
        (asked.return_id.as_str(), asked.assignment_id.as_str())
    );
    assert_eq!((event.buyer_id, event.campaign_id), (buyer.to_string(), campaign.to_string()));
    assert_eq!((event.price, event.reason.as_str()), (Some(usd("25.00")), "wrong_number"));
    assert_eq!(decide_return(&service, tenant, &asked.return_id, true).await, Ok(approved), "the same decision again");
    assert_eq!(decide_return(&service, tenant, &asked.return_id, false).await, refused("return_decided"));

    let second = ask(&service, tenant, wish(buyer, &bought[1].assignment_id)).await.unwrap();
    let rejected = decide_return(&service, tenant, &second.return_id, false).await.unwrap();
    assert_eq!(rejected.state(), ReturnState::Rejected);
    let again = wish(buyer, &bought[1].assignment_id);
    assert_eq!(
        ask(&service, tenant, again).await,
        Err((Code::AlreadyExists, "already_returned".into())),
        "once for a sale"
    );
    // Of a repeated decision and of a rejection nothing is told: the next event is of the third sale.
    let third = ask(&service, tenant, wish(buyer, &bought[2].assignment_id)).await.unwrap();
    decide_return(&service, tenant, &third.return_id, true).await.unwrap();
    assert_eq!(told(&mut returned).await.return_id, third.return_id);

    // The lead stays where it is, and both sides see what became of it.
    let states: Vec<_> = purchases(&world, tenant, buyer).await.iter().map(Purchase::return_state).collect();
    assert_eq!(states, [ReturnState::Approved, ReturnState::Rejected, ReturnState::Approved]);
    let wanted = ListLeadsRequest { page: 1, limit: 10, ..Default::default() };
    let listed = world.catalogue().list_leads(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner().leads;
    let sale = listed.iter().flat_map(|lead| &lead.assignments).find(|sale| sale.assignment_id == asked.assignment_id);
    assert_eq!(sale.unwrap().return_state(), ReturnState::Approved);
    assert_eq!(sale.unwrap().return_id, asked.return_id);
    assert_eq!(world.bought(&[buyer]).await, [3], "the sales are history");
    world.check_books().await;
}

#[tokio::test]
async fn what_the_campaign_does_not_take_back_is_refused_with_its_reason() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, buyer) = market(&world, &app, ReturnPolicy::default(), 10).await;
    let service = world.returns(&app);
    let bought = purchases(&world, tenant, buyer).await;
    let wanted = |at: usize| wish(buyer, &bought[at].assignment_id);
    assert_eq!(ask(&service, tenant, wanted(0)).await, refused("returns_not_allowed"));
    take_back(&app, tenant, campaign, ReturnPolicy { max_share_percent_per_month: 20, ..policy() }).await;
    let silly = RequestReturnRequest { reason: "too_expensive".into(), ..wanted(0) };
    assert_eq!(ask(&service, tenant, silly).await, refused("reason_not_allowed"));
    let long = RequestReturnRequest { note: "x".repeat(2_001), ..wanted(0) };
    assert_eq!(ask(&service, tenant, long).await, Err((Code::InvalidArgument, "invalid_field".into())));
    let first = ask(&service, tenant, wanted(0)).await.unwrap();
    ask(&service, tenant, wanted(1)).await.unwrap();
    assert_eq!(ask(&service, tenant, wanted(2)).await, refused("return_share_reached"));
    // What was rejected makes room.
    decide_return(&service, tenant, &first.return_id, false).await.unwrap();
    ask(&service, tenant, wanted(2)).await.unwrap();
    assert_eq!(ask(&service, tenant, wanted(3)).await, refused("return_share_reached"));
    // Another month is another share: New York's December begins at five.
    world.clock.advance("2026-12-01T05:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - world.clock.now());
    decide(&app, &world.posts(tenant, campaign, 5)).await;
    let december = purchases(&world, tenant, buyer).await;
    ask(&service, tenant, wish(buyer, &december[0].assignment_id)).await.unwrap();
    assert_eq!(ask(&service, tenant, wish(buyer, &december[1].assignment_id)).await, refused("return_share_reached"));
    assert_eq!(ask(&service, tenant, wanted(4)).await, refused("return_window_over"));
}

#[tokio::test]
async fn only_ones_own_purchases_are_returned_and_only_by_the_own_seller_decided() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, _, buyer) = market(&world, &app, policy(), 1).await;
    let (stranger, _, other) = market(&world, &app, policy(), 1).await;
    let service = world.returns(&app);
    let bought = purchases(&world, tenant, buyer).await;
    let missing = Err((Code::NotFound, "assignment_not_found".to_owned()));
    let rival = world.buyer(&app, tenant).await;
    assert_eq!(ask(&service, tenant, wish(rival, &bought[0].assignment_id)).await, missing);
    assert_eq!(ask(&service, stranger, wish(buyer, &bought[0].assignment_id)).await, missing);
    assert_eq!(ask(&service, stranger, wish(other, &bought[0].assignment_id)).await, missing);
    let asked = ask(&service, tenant, wish(buyer, &bought[0].assignment_id)).await.unwrap();

    let missing = (Code::NotFound, "return_not_found".to_owned());
    assert_eq!(decide_return(&service, stranger, &asked.return_id, true).await, Err(missing.clone()));
    assert_eq!(decide_return(&service, tenant, &ReturnId::new().to_string(), true).await, Err(missing.clone()));
    let get = async |seller, buyer_id: String| {
        let wanted = GetReturnRequest { return_id: asked.return_id.clone(), buyer_id };
        service.get_return(as_tenant(seller, wanted)).await
    };
    assert_eq!(get(tenant.seller, String::new()).await.unwrap().into_inner(), asked);
    assert_eq!(get(tenant.seller, buyer.to_string()).await.unwrap().into_inner(), asked);
    assert_eq!(refusal(get(tenant.seller, rival.to_string()).await), missing);
    assert_eq!(refusal(get(stranger.seller, String::new()).await), missing);
    let list = async |seller, wanted: ListReturnsRequest| {
        let wanted = ListReturnsRequest { page: 1, limit: 10, ..wanted };
        let found = service.list_returns(as_tenant(seller, wanted)).await.unwrap().into_inner();
        assert_eq!(found.total, found.returns.len() as u64);
        found.returns
    };
    assert_eq!(list(tenant.seller, ListReturnsRequest::default()).await, std::slice::from_ref(&asked));
    let of = |buyer: BuyerId| ListReturnsRequest { buyer_id: buyer.to_string(), ..Default::default() };
    assert_eq!(list(tenant.seller, of(buyer)).await, std::slice::from_ref(&asked));
    assert_eq!(list(tenant.seller, of(rival)).await, []);
    let decided = ListReturnsRequest {
        states: vec![ReturnState::Approved.into(), ReturnState::Rejected.into()],
        ..Default::default()
    };
    assert_eq!(list(tenant.seller, decided).await, []);
    assert_eq!(list(stranger.seller, ListReturnsRequest::default()).await, []);
    let wrong = ListReturnsRequest { states: vec![0], page: 1, limit: 10, ..Default::default() };
    assert_eq!(refusal(service.list_returns(as_tenant(tenant.seller, wrong)).await).0, Code::InvalidArgument);
}

#[tokio::test]
async fn a_policy_that_approves_by_itself_asks_nobody() {
    let world = World::new().await;
    let app = world.replica();
    let auto = ReturnPolicy { auto_approve: true, ..policy() };
    let (tenant, _, buyer) = market(&world, &app, auto, 1).await;
    let service = world.returns(&app);
    let mut returned = world.bus.subscribe_core(subjects::LEAD_RETURNED).await.unwrap();
    let bought = purchases(&world, tenant, buyer).await;
    let made = ask(&service, tenant, wish(buyer, &bought[0].assignment_id)).await.unwrap();
    assert_eq!((made.state(), made.automatic, made.decided_by.as_str()), (ReturnState::Approved, true, ""));
    assert_eq!(told(&mut returned).await.return_id, made.return_id);
    assert_eq!(
        world.count("SELECT count(*) FROM distribution.audit_entries WHERE action IN ('return.requested', 'return.approved')").await,
        2
    );
}

#[tokio::test]
async fn a_returned_sale_leaves_the_cap_of_its_day_only_where_the_campaign_says_so() {
    for out_of_caps in [true, false] {
        let world = World::new().await;
        let (app, other) = (world.replica(), world.replica());
        let tenant = world.tenant(&app).await;
        let campaign: CampaignId =
            put_campaign(&app, tenant, campaign(tenant, Logic::RoundRobin)).await.campaign_id.parse().unwrap();
        take_back(&app, tenant, campaign, ReturnPolicy { counts_out_of_caps: out_of_caps, ..policy() }).await;
        let buyer = world.buyer(&app, tenant).await;
        let mut wanted = subscription(campaign, buyer);
        wanted.daily_cap = Some(2);
        put_subscription(&app, tenant, wanted).await;
        // Both replicas know the rotation from memory.
        decide(&app, &world.posts(tenant, campaign, 1)).await;
        decide(&other, &world.posts(tenant, campaign, 1)).await;
        decide(&app, &world.posts(tenant, campaign, 1)).await;
        assert_eq!(world.bought(&[buyer]).await, [2], "the cap is reached, and a lead waits");
        let service = world.returns(&other);
        let bought = purchases(&world, tenant, buyer).await;
        let asked = ask(&service, tenant, wish(buyer, &bought[0].assignment_id)).await.unwrap();
        world.retry(&app).await;
        assert_eq!(world.bought(&[buyer]).await, [2], "a wish alone changes nothing");
        decide_return(&service, tenant, &asked.return_id, true).await.unwrap();
        world.retry(&app).await;
        decide(&other, &world.posts(tenant, campaign, 3)).await;
        world.retry(&app).await;
        assert_eq!(world.bought(&[buyer]).await, [if out_of_caps { 3 } else { 2 }]);
        world.check_books().await;

        // On the next day only what is sold then counts: a return of yesterday's lead makes no room.
        world.clock.advance(TimeDelta::days(1));
        decide(&app, &world.posts(tenant, campaign, 3)).await;
        let before = world.bought(&[buyer]).await;
        let asked = ask(&service, tenant, wish(buyer, &bought[1].assignment_id)).await.unwrap();
        decide_return(&service, tenant, &asked.return_id, true).await.unwrap();
        world.retry(&app).await;
        decide(&app, &world.posts(tenant, campaign, 1)).await;
        assert_eq!(world.bought(&[buyer]).await, before);
        world.check_books().await;
    }
}

#[tokio::test]
async fn a_buyer_who_subscribed_anew_gets_the_room_of_what_he_returned_from_before() {
    let world = World::new().await;
    let app = world.replica();
    let auto = ReturnPolicy { auto_approve: true, counts_out_of_caps: true, ..policy() };
    let (tenant, campaign, buyer) = market(&world, &app, auto, 2).await;
    unsubscribe(&app, tenant, campaign, buyer).await;
    let mut anew = subscription(campaign, buyer);
    anew.daily_cap = Some(3);
    put_subscription(&app, tenant, anew).await;
    // Purchases are listed by when they were made: the new one is not to be taken for one of before.
    world.clock.advance(TimeDelta::seconds(1));
    decide(&app, &world.posts(tenant, campaign, 2)).await;
    assert_eq!(world.bought(&[buyer]).await, [3], "two of before count");
    let service = world.returns(&app);
    let bought = purchases(&world, tenant, buyer).await;
    ask(&service, tenant, wish(buyer, &bought[2].assignment_id)).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&[buyer]).await, [4]);
    let counts = "SELECT count(*) FROM distribution.subscription_rotation WHERE sold_today IN (1, 3)";
    assert_eq!(world.count(counts).await, 2, "the old one has one less, the new one is full again");
}

#[tokio::test]
async fn sums_are_net_of_returns_and_count_them() {
    let world = World::new().await;
    let app = world.replica();
    let auto = ReturnPolicy { auto_approve: true, ..policy() };
    let (tenant, campaign, buyer) = market(&world, &app, auto, 4).await;
    let service = world.returns(&app);
    let bought = purchases(&world, tenant, buyer).await;
    // Whenever it is approved, it is taken off the day of the sale.
    world.clock.advance(TimeDelta::days(2));
    ask(&service, tenant, wish(buyer, &bought[0].assignment_id)).await.unwrap();
    let ms = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    let (from_ms, until_ms) = (ms("2026-11-21T05:00:00Z"), ms("2026-11-26T05:00:00Z"));
    let catalogue = world.catalogue();
    for (buyer_id, supplier_id) in [
        (String::new(), String::new()),
        (buyer.to_string(), String::new()),
        (String::new(), tenant.supplier.to_string()),
    ] {
        let wanted = SumByDayRequest { from_ms, until_ms, buyer_id, supplier_id };
        let days = catalogue.sum_by_day(as_tenant(tenant.seller, wanted.clone())).await.unwrap().into_inner().days;
        let busy: Vec<_> = days.iter().filter(|day| day.leads + day.assignments + day.returned > 0).collect();
        let found = (busy.len(), busy[0].assignments, busy[0].returned, busy[0].revenue.clone());
        assert_eq!(found, (1, 4, 1, Some(usd("75.00"))), "{wanted:?}");
    }
    for buyer_id in [String::new(), buyer.to_string()] {
        for (dimension, id) in [
            (Dimension::Buyer, buyer.to_string()),
            (Dimension::Supplier, tenant.supplier.to_string()),
            (Dimension::Campaign, campaign.to_string()),
            (Dimension::Category, tenant.category.to_string()),
        ] {
            for ids in [vec![], vec![id.clone()]] {
                let wanted =
                    SumByRequest { from_ms, until_ms, dimension: dimension.into(), buyer_id: buyer_id.clone(), ids };
                let sums = catalogue.sum_by(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner().sums;
                let [sum] = &sums[..] else { panic!("{dimension:?}: {sums:?}") };
                assert_eq!((&sum.id, sum.assignments, sum.returned), (&id, 4, 1), "{dimension:?}");
                assert_eq!((sum.revenue.clone(), sum.leads), (Some(usd("75.00")), 4), "{dimension:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_policy_is_part_of_its_campaign_and_stays_when_nothing_is_said_of_it() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let request = PutCampaignRequest { returns: Some(policy()), ..campaign(tenant, Logic::RoundRobin) };
    let made = put_campaign(&app, tenant, request.clone()).await;
    assert_eq!((made.returns.clone(), made.version), (Some(policy()), 1));
    let renamed = PutCampaignRequest { returns: None, name: "Other".into(), ..request.clone() };
    assert_eq!(put_campaign(&app, tenant, renamed).await.returns, Some(policy()));
    let stricter = ReturnPolicy { max_share_percent_per_month: 10, auto_approve: true, ..policy() };
    let changed = PutCampaignRequest { returns: Some(stricter.clone()), ..request.clone() };
    let changed = put_campaign(&app, tenant, changed).await;
    assert_eq!((changed.returns, changed.version), (Some(stricter), 3));
    assert_eq!(
        put_campaign(&app, tenant, campaign(tenant, Logic::RoundRobin)).await.returns,
        Some(ReturnPolicy::default())
    );
    for wrong in [
        ReturnPolicy { days: 366, ..policy() },
        ReturnPolicy { max_share_percent_per_month: 0, ..policy() },
        ReturnPolicy { max_share_percent_per_month: 101, ..policy() },
        ReturnPolicy { reasons: vec![], ..policy() },
        ReturnPolicy { reasons: vec!["No way".into()], ..policy() },
    ] {
        let put = PutCampaignRequest { returns: Some(wrong), ..request.clone() };
        let answer = call(&app).put_campaign(as_tenant(tenant.seller, put)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, "invalid_field".into()));
    }
}
