//! The gRPC service: other tenants, bounds, and what is refused.

use leadflow_billing::{app::Billing, inbound::grpc::Service};
use leadflow_contracts::{
    billing::{
        CreditWalletRequest, GetWalletRequest, HoldOutcome, HoldRequest, ListTransactionsRequest, PlaceHoldsRequest,
        ReleaseHoldsRequest, SetLowBalanceThresholdRequest, billing_server::Billing as _,
    },
    common::Money,
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId, PostingId, SellerId};
use leadflow_platform::grpc::stable_code;
use tonic::{Code, Request, Status};

use crate::support::*;

fn call<T>(tenant: SellerId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-leadflow-tenant", tenant.to_string().parse().unwrap());
    request
}

fn hold(buyer: BuyerId, amount: &str) -> HoldRequest {
    HoldRequest {
        hold_id: AssignmentId::new().to_string(),
        buyer_id: buyer.to_string(),
        lead_id: LeadId::new().to_string(),
        campaign_id: CampaignId::new().to_string(),
        amount: proto_usd(amount),
    }
}

fn credit_request(buyer: BuyerId, id: &str, amount: Option<Money>) -> CreditWalletRequest {
    CreditWalletRequest {
        buyer_id: buyer.to_string(),
        credit_id: id.to_owned(),
        amount,
        description: "Card".to_owned(),
    }
}

fn transactions(buyer: BuyerId, limit: u32, before: &str) -> ListTransactionsRequest {
    ListTransactionsRequest { buyer_id: buyer.to_string(), limit, before: before.to_owned() }
}

fn refused<T>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.err().expect("a refusal");
    (status.code(), stable_code(&status).to_owned())
}

fn not_found() -> (Code, String) {
    (Code::NotFound, "wallet_not_found".to_owned())
}

fn invalid() -> (Code, String) {
    (Code::InvalidArgument, "invalid_field".to_owned())
}

async fn start() -> (World, Billing, Service) {
    let world = World::new().await;
    let billing = world.replica();
    let service = Service::new(billing.clone());
    (world, billing, service)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_wallets_holds_and_statement_do_not_exist() {
    let (world, billing, service) = start().await;
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (stranger, theirs) = world.tenant(&billing, "100.00").await;
    let get = GetWalletRequest { buyer_id: buyer.to_string() };
    assert_eq!(refused(service.get_wallet(call(stranger, get)).await), not_found());
    assert_eq!(refused(service.list_transactions(call(stranger, transactions(buyer, 10, ""))).await), not_found());
    let credit = credit_request(buyer, "c", proto_usd("1.00"));
    assert_eq!(refused(service.credit_wallet(call(stranger, credit)).await), not_found());
    let threshold = SetLowBalanceThresholdRequest { buyer_id: buyer.to_string(), threshold: proto_usd("5.00") };
    assert_eq!(refused(service.set_low_balance_threshold(call(stranger, threshold)).await), not_found());

    let placed = hold(buyer, "10.00");
    let mine = PlaceHoldsRequest { holds: vec![placed.clone()] };
    let outcomes = service.place_holds(call(seller, mine.clone())).await.unwrap().into_inner().outcomes;
    assert_eq!(outcomes, [HoldOutcome::Held as i32]);
    let foreign_wallet = service.place_holds(call(stranger, mine)).await.unwrap().into_inner().outcomes;
    assert_eq!(foreign_wallet, [HoldOutcome::WalletBlocked as i32]);
    let foreign_hold = HoldRequest { buyer_id: theirs.to_string(), ..placed.clone() };
    let foreign_hold = PlaceHoldsRequest { holds: vec![foreign_hold] };
    let foreign_hold = service.place_holds(call(stranger, foreign_hold)).await.unwrap().into_inner().outcomes;
    assert_eq!(foreign_hold, [HoldOutcome::WalletBlocked as i32]);
    let release = ReleaseHoldsRequest { hold_ids: vec![placed.hold_id] };
    assert_eq!(service.release_holds(call(stranger, release.clone())).await.unwrap().into_inner().released, 0);
    assert_eq!(amounts(&billing, seller, buyer).await.1, "10.00");
    assert_eq!(service.release_holds(call(seller, release)).await.unwrap().into_inner().released, 1);

    let page = service.list_transactions(call(seller, transactions(buyer, 10, ""))).await.unwrap().into_inner();
    let theirs = transactions(theirs, 10, &page.transactions[0].id);
    assert_eq!(refused(service.list_transactions(call(stranger, theirs)).await), invalid(), "a foreign line");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_that_cannot_be_read_are_refused_and_nothing_of_the_call_is_held() {
    let (world, billing, service) = start().await;
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let good = hold(buyer, "10.00");
    let euro = |amount: &str| Some(Money { amount: amount.to_owned(), currency: "eur".to_owned() });
    for bad in [
        HoldRequest { amount: proto_usd("-5.00"), ..hold(buyer, "1") },
        HoldRequest { amount: proto_usd("1.005"), ..hold(buyer, "1") },
        HoldRequest { amount: proto_usd("NaN"), ..hold(buyer, "1") },
        HoldRequest { amount: proto_usd("99999999999"), ..hold(buyer, "1") },
        HoldRequest { amount: euro("1.00"), ..hold(buyer, "1") },
        HoldRequest { amount: None, ..hold(buyer, "1") },
        HoldRequest { hold_id: String::new(), ..hold(buyer, "1") },
        HoldRequest { hold_id: buyer.to_string(), ..hold(buyer, "1") },
        HoldRequest { buyer_id: seller.to_string(), ..hold(buyer, "1") },
        HoldRequest { lead_id: "lead_x".to_owned(), ..hold(buyer, "1") },
        HoldRequest { campaign_id: "1".to_owned(), ..hold(buyer, "1") },
    ] {
        let batch = PlaceHoldsRequest { holds: vec![good.clone(), bad.clone()] };
        assert_eq!(refused(service.place_holds(call(seller, batch)).await), invalid(), "{bad:?}");
    }
    let too_many = PlaceHoldsRequest { holds: vec![good.clone(); 4_097] };
    assert_eq!(refused(service.place_holds(call(seller, too_many)).await), invalid());
    let too_many = ReleaseHoldsRequest { hold_ids: vec![good.hold_id.clone(); 4_097] };
    assert_eq!(refused(service.release_holds(call(seller, too_many)).await), invalid());
    let no_tenant = service.place_holds(Request::new(PlaceHoldsRequest::default())).await;
    assert_eq!(refused(no_tenant), (Code::InvalidArgument, "tenant_missing".to_owned()));
    assert_eq!(world.count("SELECT count(*) FROM billing.holds").await, 0);

    let unknown = PlaceHoldsRequest { holds: vec![hold(BuyerId::new(), "1.00")] };
    let outcomes = service.place_holds(call(seller, unknown)).await.unwrap().into_inner().outcomes;
    assert_eq!(outcomes, [HoldOutcome::WalletBlocked as i32]);
    let most = PlaceHoldsRequest { holds: (0..4_096).map(|_| hold(buyer, "0.00")).collect() };
    let outcomes = service.place_holds(call(seller, most)).await.unwrap().into_inner().outcomes;
    assert_eq!(outcomes, vec![HoldOutcome::Held as i32; 4_096]);
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_have_bounds_and_a_used_id_says_so() {
    let (world, billing, service) = start().await;
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    let long = "x".repeat(201);
    for (id, amount) in [
        ("c", proto_usd("0.00")),
        ("c", proto_usd("-1.00")),
        ("c", proto_usd("100000000.01")),
        ("c", proto_usd("1.001")),
        ("c", Some(Money { amount: "1.00".to_owned(), currency: "EUR".to_owned() })),
        ("c", None),
        ("", proto_usd("1.00")),
        (&long, proto_usd("1.00")),
        ("a\0b", proto_usd("1.00")),
    ] {
        let answer = service.credit_wallet(call(seller, credit_request(buyer, id, amount.clone()))).await;
        assert_eq!(refused(answer), invalid(), "{id:?} {amount:?}");
    }
    let mut wordy = credit_request(buyer, "c", proto_usd("1.00"));
    wordy.description = "x".repeat(501);
    assert_eq!(refused(service.credit_wallet(call(seller, wordy)).await), invalid());
    assert_eq!(world.count("SELECT count(*) FROM billing.credits").await, 0);

    let ask = |amount| service.credit_wallet(call(seller, credit_request(buyer, "c", proto_usd(amount))));
    let first = ask("5.00").await.unwrap().into_inner();
    let wallet = first.wallet.unwrap();
    assert!(first.credited_now);
    assert_eq!((wallet.balance, wallet.available), (proto_usd("5.00"), proto_usd("5.00")));
    assert!(!ask("5.00").await.unwrap().into_inner().credited_now);
    assert_eq!(refused(ask("6.00").await), (Code::AlreadyExists, "credit_exists".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_pages_without_gaps_and_adds_up() {
    let (world, billing, service) = start().await;
    let (seller, buyer) = world.tenant(&billing, "500.00").await;
    for _ in 0..7 {
        let hold = request(seller, buyer, "25.00");
        billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
        capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    }
    credit(&billing, seller, buyer, "1.50").await;
    let mut all = Vec::new();
    let mut before = String::new();
    loop {
        let ask = call(seller, transactions(buyer, 4, &before));
        let page = service.list_transactions(ask).await.unwrap().into_inner().transactions;
        let Some(last) = page.last() else { break };
        before = last.id.clone();
        all.extend(page);
    }
    let amount = |money: &Option<Money>| dec(&money.as_ref().unwrap().amount);
    assert_eq!(all.len(), 9);
    assert_eq!(all[0].r#type, "CREDIT");
    assert!(all[1..8].iter().all(|line| line.r#type == "LEAD_PURCHASE" && !line.assignment_id.is_empty()));
    for line in &all {
        assert_eq!(amount(&line.balance_before) + amount(&line.amount), amount(&line.balance_after));
    }
    for pair in all.windows(2) {
        assert_eq!(pair[0].balance_before, pair[1].balance_after, "newest first, without gaps");
    }
    assert_eq!(all[0].balance_after, proto_usd("326.50"));
    assert_eq!(all[8].balance_before, proto_usd("0.00"));
    assert_eq!(amounts(&billing, seller, buyer).await.0, "326.50");

    for (limit, before) in
        [(0, String::new()), (201, String::new()), (10, "post_x".to_owned()), (10, PostingId::new().to_string())]
    {
        let ask = call(seller, transactions(buyer, limit, &before));
        assert_eq!(refused(service.list_transactions(ask).await), invalid(), "{limit} {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_is_zero_or_more_and_in_the_wallets_currency() {
    let (world, billing, service) = start().await;
    let (seller, buyer) = world.tenant(&billing, "10.00").await;
    for threshold in [proto_usd("-1"), Some(Money { amount: "1".to_owned(), currency: "EUR".to_owned() }), None] {
        let ask = SetLowBalanceThresholdRequest { buyer_id: buyer.to_string(), threshold };
        assert_eq!(refused(service.set_low_balance_threshold(call(seller, ask)).await), invalid());
    }
    let ask = SetLowBalanceThresholdRequest { buyer_id: buyer.to_string(), threshold: proto_usd("5") };
    let wallet = service.set_low_balance_threshold(call(seller, ask)).await.unwrap().into_inner();
    assert_eq!(wallet.low_balance_threshold, proto_usd("5.00"));
}
