//! What happens while something is away.

use leadflow_contracts::{
    accounts::ListBuyersRequest,
    events::{BuyerChanged, SellerChanged},
};
use leadflow_testkit::{TestServers, wait};
use sqlx::{AssertSqlSafe, PgPool};
use tonic::Code;

use crate::world::{PATIENCE, World, as_tenant};

#[tokio::test]
async fn without_nats_commands_are_carried_out_and_told_later() {
    let mut world = World::start().await;
    let seller = world.seller().await;
    world.outbox_is_empty().await;
    world.nats.kill9();
    let buyer = world.buyer(seller).await;
    assert_eq!(world.count("SELECT count(*) FROM accounts.outbox").await, 1);
    world.nats.restart().await.unwrap();
    let seen = world.follow();
    seen.wait_for::<BuyerChanged>(&buyer.buyer_id, |event| event.version == 1).await;
    world.outbox_is_empty().await;
}

#[tokio::test]
async fn without_nats_people_register_and_are_told_of_later() {
    let mut world = World::start().await;
    world.nats.kill9();
    let seller = world.registered_seller("sam@example.com").await.user.unwrap();
    assert!(world.whose(&world.session("sam@example.com").await.token).await.is_some());
    world.nats.restart().await.unwrap();
    world.follow().wait_for::<SellerChanged>(&seller.seller_id, |event| event.version == 1).await;
    world.outbox_is_empty().await;
}

#[tokio::test]
async fn what_a_crash_left_unpublished_is_published_by_the_next_start() {
    let mut world = World::start().await;
    let seller = world.seller().await;
    world.outbox_is_empty().await;
    world.stop().await;
    // As a crash between commit and publish leaves it: the stream has nothing, the outbox the row.
    world.start_again().await;
    world.nats.kill9();
    let buyer = world.buyer(seller).await;
    world.stop().await;
    assert_eq!(world.count("SELECT count(*) FROM accounts.outbox").await, 1);
    world.nats.restart().await.unwrap();
    wait::until("the connection", PATIENCE, async || world.bus.is_connected()).await;
    world.start_again().await;
    let seen = world.follow();
    seen.wait_for::<BuyerChanged>(&buyer.buyer_id, |event| event.version == 1).await;
    seen.wait_for::<SellerChanged>(seller, |event| event.version == 1).await;
}

#[tokio::test]
async fn without_the_database_the_answer_is_unavailable_and_says_nothing_of_it() {
    let world = World::start().await;
    let seller = world.seller().await;
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(world.db.pool()).await.unwrap();
    let server = PgPool::connect(TestServers::shared().await.unwrap().database_url()).await.unwrap();
    let allow = async |allowed: bool| {
        let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}");
        sqlx::query(AssertSqlSafe(sql)).execute(&server).await.unwrap();
    };
    allow(false).await;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'accounts-test' AND datname = $1")
        .bind(&name)
        .execute(&server)
        .await
        .unwrap();
    let request = ListBuyersRequest { limit: 1, after: String::new() };
    let refusal = world.client().list_buyers(as_tenant(seller, request.clone())).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    assert!(!refusal.message().contains(&name));
    allow(true).await;
    wait::until("service again", PATIENCE, async || {
        world.client().list_buyers(as_tenant(seller, request.clone())).await.is_ok()
    })
    .await;
}
