//! Tenants are kept apart by PostgreSQL, also where a statement forgets to.

use leadflow_accounts::{SCHEMA, TENANT_ROLE};
use leadflow_contracts::accounts::{ListUsersRequest, Member, UpdateSellerRequest};
use leadflow_kernel::SellerId;
use leadflow_platform::db::Tenants;
use leadflow_testkit::tenancy;

use crate::{
    someone::tenant,
    team::invite_request,
    world::{World, as_tenant},
};

/// A tenant that has a row in every table: its owner is signed in, with a buyer, a supplier and a key.
async fn busy_tenant(world: &World, name: &str) -> SellerId {
    let email = format!("{name}@example.com");
    let seller = tenant(&world.registered_seller(&email).await.user.unwrap());
    world.session(&email).await;
    world.registered_buyer(&format!("buyer-of-{email}"), &world.invite_code(seller).await).await;
    let supplier = world.supplier(seller).await;
    world.key(seller, &supplier).await;
    let invite = invite_request(&format!("invited-by-{email}"), Member::Viewer);
    world.people().invite_user(as_tenant(seller, invite)).await.unwrap();
    let keep = UpdateSellerRequest { seller_id: seller.to_string(), retention_days: Some(90), ..Default::default() };
    world.client().update_seller(as_tenant(seller, keep)).await.unwrap();
    seller
}

#[tokio::test]
async fn without_any_condition_only_the_tenants_rows_are_seen_and_changed() {
    let world = World::start().await;
    let (mine, theirs) = (busy_tenant(&world, "sam").await, busy_tenant(&world, "tom").await);
    let tenants = Tenants::new(world.db.pool().clone(), TENANT_ROLE);
    let open = async |tenant| tenants.begin(SellerId::from_uuid(tenant)).await.unwrap();
    let proven = tenancy::prove(world.db.pool(), SCHEMA, TENANT_ROLE, (mine.uuid(), theirs.uuid()), open).await;
    let all = [
        "api_keys",
        "audit_entries",
        "buyer_contacts",
        "buyers",
        "invitations",
        "invite_codes",
        "one_time_tokens",
        "retention",
        "sellers",
        "sessions",
        "suppliers",
        "users",
    ];
    for table in all {
        assert!(proven.contains(&format!("accounts.{table}")), "{table}: {proven:?}");
    }
}

/// Users are listed through a view over four tables: with the tenant forgotten it shows the tenant's users only.
#[tokio::test]
async fn what_a_statement_forgets_the_database_adds() {
    let world = World::start().await;
    let (mine, _) = (busy_tenant(&world, "sam").await, busy_tenant(&world, "tom").await);
    let tenants = Tenants::new(world.db.pool().clone(), TENANT_ROLE);
    let mut tx = tenants.begin(mine).await.unwrap();
    let forgotten = "SELECT email FROM accounts.people ORDER BY email";
    let people: Vec<String> = sqlx::query_scalar(forgotten).fetch_all(&mut *tx).await.unwrap();
    assert_eq!(people, ["buyer-of-sam@example.com", "sam@example.com"]);
    drop(tx);
    let team = ListUsersRequest { team: true, ..Default::default() };
    let team = world.people().list_users(as_tenant(mine, team)).await.unwrap().into_inner().users;
    assert_eq!(team.len(), 1);
}
