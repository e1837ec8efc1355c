//! A tenant's ledger, part by part over gRPC.

use std::time::Duration;

use leadflow_billing::{
    TENANT_ROLE,
    export::{ExportError, Format, Part, Parts, export, export_for},
    inbound::ledger_grpc::LedgerService,
};
use leadflow_contracts::billing::{ExportLedgerRequest, LedgerFormat, ledger_server::Ledger as _};
use leadflow_kernel::SellerId;
use leadflow_platform::{Shutdown, db::Tenants, grpc::stable_code};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};

use crate::support::*;

fn tenants(world: &World) -> Tenants {
    Tenants::new(leadflow_billing::connect(&world.settings()).unwrap(), TENANT_ROLE)
}

fn call(seller: SellerId, format: LedgerFormat, from: &str, to: &str) -> Request<ExportLedgerRequest> {
    let message = ExportLedgerRequest { format: format.into(), from: from.to_owned(), to: to.to_owned() };
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-leadflow-tenant", seller.to_string().parse().unwrap());
    request
}

/// The file, or why it is not whole.
async fn whole(service: &LedgerService, request: Request<ExportLedgerRequest>) -> Result<String, Status> {
    let mut parts = service.export_ledger(request).await?.into_inner();
    let mut text = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part?;
        assert!(part.data.len() <= 64 * 1024);
        text.extend_from_slice(&part.data);
    }
    Ok(String::from_utf8(text).unwrap())
}

/// So many sales, each three lines.
async fn sales(world: &World, count: usize) -> SellerId {
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "9000.00").await;
    for _ in 0..count.div_ceil(200) {
        let requests: Vec<_> = (0..count.min(200)).map(|_| request(seller, buyer, "1.00")).collect();
        billing.place_holds(seller, &requests).await.unwrap();
        let sold: Vec<_> = requests.iter().collect();
        capture(&billing, &[message(&assigned(&sold))]).await.unwrap();
    }
    seller
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_file_is_what_the_whole_ledger_says_of_it() {
    let world = World::new().await;
    let (mine, theirs) = (sales(&world, 1_000).await, sales(&world, 2).await);
    let service = LedgerService::new(tenants(&world), Shutdown::new());
    for (format, named) in [(Format::Csv, LedgerFormat::Csv), (Format::Beancount, LedgerFormat::Beancount)] {
        for seller in [mine, theirs] {
            let mut wanted = Vec::new();
            let part = Part { seller: Some(seller), ..Part::default() };
            export(world.pool(), &part, format, &mut wanted).await.unwrap();
            let text = whole(&service, call(seller, named, "", "")).await.unwrap();
            assert!(text == String::from_utf8(wanted).unwrap(), "{format:?}");
        }
    }
    // More than a page, and more than a part.
    let text = whole(&service, call(mine, LedgerFormat::Csv, "2026-11-22", "2026-11-22")).await.unwrap();
    assert_eq!(text.lines().count(), 1 + 2 + 3_000);
    assert!(text.len() > 64 * 1024 && !text.contains(&theirs.to_string()));
    // For ever, as people write it.
    for (format, from) in [(LedgerFormat::Csv, "1970-01-01"), (LedgerFormat::Beancount, "")] {
        assert!(whole(&service, call(mine, format, from, "9999-12-31")).await.unwrap().len() > 64 * 1024);
    }
    let none = whole(&service, call(mine, LedgerFormat::Csv, "2026-11-23", "")).await.unwrap();
    assert_eq!(none.lines().count(), 1);
    assert_eq!(whole(&service, call(SellerId::new(), LedgerFormat::Csv, "", "")).await.unwrap().lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_refused_and_there_is_room_for_three() {
    let world = World::new().await;
    let seller = sales(&world, 1_400).await;
    let stop = Shutdown::new();
    let service = LedgerService::new(tenants(&world), stop.clone()).with_patience(Duration::from_secs(600));
    for (format, from, to) in [
        (LedgerFormat::Unspecified, "", ""),
        (LedgerFormat::Csv, "yesterday", ""),
        (LedgerFormat::Csv, "", "2026-11-31"),
        (LedgerFormat::Csv, "1969-12-31", ""),
        (LedgerFormat::Csv, "2026-11-02", "2026-11-01"),
    ] {
        let refusal = whole(&service, call(seller, format, from, to)).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"), "{from} {to}");
    }
    // Three who do not read on.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut parts = service.export_ledger(call(seller, LedgerFormat::Csv, "", "")).await.unwrap().into_inner();
        parts.next().await.unwrap().unwrap();
        slow.push(parts);
    }
    let refusal = service.export_ledger(call(seller, LedgerFormat::Csv, "", "")).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::Unavailable, "too_many_exports"));
    // Who leaves makes room.
    slow.pop();
    leadflow_testkit::wait::until("there is room again", PATIENCE, async || {
        whole(&service, call(seller, LedgerFormat::Csv, "", "")).await.is_ok()
    })
    .await;
    // A service that stops ends what it gives out, with a reason.
    stop.cancel();
    let mut last = slow.pop().unwrap();
    let mut ended = None;
    while let Some(part) = last.next().await {
        ended = part.err();
    }
    assert_eq!(stable_code(&ended.expect("it is not whole")), "stopping");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_and_does_not_read_takes_nobodys_room() {
    let world = World::new().await;
    let seller = sales(&world, 1_000).await;
    let patience = Duration::from_millis(1);
    let service = LedgerService::new(tenants(&world), Shutdown::new()).with_patience(patience);
    let mut slow = Vec::new();
    leadflow_testkit::wait::until("six are let in, of whom nobody reads", PATIENCE, async || {
        let answer = service.export_ledger(call(seller, LedgerFormat::Csv, "", "")).await;
        slow.extend(answer.map(tonic::Response::into_inner));
        slow.len() == 6
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_or_leaves_ends_the_export() {
    let world = World::new().await;
    let seller = sales(&world, 1_000).await;
    let part = Part::default();
    let (to, _never_read) = mpsc::channel(1);
    let mut slow = Parts::new(to, Duration::ZERO);
    let outcome = export_for(&tenants(&world), seller, &part, Format::Csv, &mut slow).await;
    assert!(matches!(outcome, Err(ExportError::Write(error)) if error.kind() == std::io::ErrorKind::TimedOut));
    let (to, read) = mpsc::channel(1);
    drop(read);
    let mut gone = Parts::new(to, PATIENCE);
    let outcome = export_for(&tenants(&world), seller, &part, Format::Csv, &mut gone).await;
    assert!(matches!(outcome, Err(ExportError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe));
}
