//! A seller's ledger as a file.

use serde_json::json;

use crate::world::World;

const PATH: &str = "/api/reports/ledger.csv";

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_gets_his_ledger_as_a_file_that_no_spreadsheet_takes_for_formulas() {
    let world = World::start().await;
    let client = &world.client;
    let (mine, theirs) = (world.tenant("mine").await, world.tenant("theirs").await);
    let buyer = mine.buyer.user["buyerId"].as_str().unwrap();
    for reason in ["=HYPERLINK(\"http://evil.example\")", "+1", "-1", "@SUM(A1)", "plain, with \"quotes\""] {
        let body = json!({ "amount": 1, "reason": reason });
        client.post(&format!("/api/buyers/{buyer}/credits"), &mine.seller.token, &body).await.ok(201);
    }
    let answer = client.get(PATH, &mine.seller.token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"ledger.csv\"");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let csv = answer.text;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("posting,time,kind,description,account,amount,currency,balance"));
    let (me, them) = (mine.seller.user["sellerId"].as_str().unwrap(), theirs.seller.user["sellerId"].as_str().unwrap());
    assert!(csv.contains(&format!("buyer_wallet:{me}:{buyer}")) && !csv.contains(them), "{csv}");
    for written in [
        ",\"'=HYPERLINK(\"\"http://evil.example\"\")\",",
        ",\"'+1\",",
        ",\"'-1\",",
        ",\"'@SUM(A1)\",",
        ",\"plain, with \"\"quotes\"\"\",",
    ] {
        assert!(csv.contains(written), "{written}: {csv}");
    }
    // A viewer may look.
    let viewer = world.member(&mine.seller, "viewer@mine.example", "VIEWER").await;
    assert_eq!(client.get(PATH, &viewer.token).await.text, csv);

    let beancount = client.get(&format!("{PATH}?format=beancount&from=2020-01-01"), &mine.seller.token).await;
    assert_eq!(beancount.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(beancount.headers["content-disposition"], "attachment; filename=\"ledger-2020-01-01.beancount\"");
    assert!(beancount.text.contains("2020-01-01 open Liabilities:Seller-"), "{}", beancount.text);
    let before = client.get(&format!("{PATH}?from=2020-01-01&to=2020-12-31"), &mine.seller.token).await;
    assert_eq!(before.text.lines().count(), 1, "{}", before.text);
    assert_eq!(before.headers["content-disposition"], "attachment; filename=\"ledger-2020-01-01-2020-12-31.csv\"");

    for bad in ["from=yesterday", "to=2020-02-30", "from=2020-01-02&to=2020-01-01", "format=xlsx", "from=1969-12-31"] {
        assert_eq!(
            client.get(&format!("{PATH}?{bad}"), &mine.seller.token).await.refused(400),
            "query_invalid",
            "{bad}"
        );
    }
    client.get(PATH, &mine.buyer.token).await.refused(403);
    client.get(PATH, "").await.refused(401);
}
