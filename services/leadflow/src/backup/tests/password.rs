//! PostgreSQL's programs sign in where a password is asked for, with whatever characters.

use std::fs;

use leadflow_testkit::{
    TempDir,
    servers::{Postgres, PostgresOptions},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::backup::database::{self, Server};

const USER: &str = "o'brien@x";
const PASSWORD: &str = "p@ss:w/ %41+ö#?&='\"\\$(x)";
const DATABASE: &str = "le ad's";

#[tokio::test]
async fn a_password_of_special_characters_signs_in() {
    let folder = TempDir::new("password").unwrap();
    let hba = folder.path().join("hba.conf");
    let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(&hba, rules).unwrap();
    let server = Postgres::start(PostgresOptions {
        fsync: false,
        settings: vec![("hba_file".to_owned(), hba.to_str().unwrap().to_owned())],
        ..PostgresOptions::new(folder.path().join("data"))
    })
    .await
    .unwrap();
    let mut admin = PgConnection::connect(&server.url()).await.unwrap();
    let make = format!(
        "CREATE ROLE \"{USER}\" SUPERUSER LOGIN PASSWORD '{}'; \
         CREATE SCHEMA sales; CREATE TABLE sales.facts AS SELECT 'sold' AS name",
        PASSWORD.replace('\'', "''")
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut admin).await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{DATABASE}\""))).await.unwrap();

    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (user, database, port) = (encoded(USER), encoded(DATABASE), server.port());
    let url = |password: &str, database: &str| {
        format!("postgres://{user}:{}@127.0.0.1:{port}/{database}?statement-cache-capacity=5", encoded(password))
    };
    let from = Server { url: url(PASSWORD, "postgres"), schemas: vec!["sales"] };
    let to = Server { url: url(PASSWORD, &database), schemas: vec!["sales"] };
    let servers = [from, to];
    let snapshots = database::snapshots(&servers[..1]).await.unwrap();
    let file = folder.path().join("sales.dump");
    let stranger = Server { url: url("p@ss", "postgres"), schemas: vec!["sales"] };
    let refused = format!("{:#}", stranger.dump("sales", &snapshots[0].id, &file).await.unwrap_err());
    assert!(refused.contains("password authentication failed"), "{refused}");
    servers[0].dump("sales", &snapshots[0].id, &file).await.unwrap();
    database::forget(snapshots).await.unwrap();
    servers[1].check_empty().await.unwrap();
    servers[1].restore("sales", &file).await.unwrap();
    let mut restored = PgConnection::connect(&servers[1].url).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT name FROM sales.facts").fetch_one(&mut restored).await.unwrap();
    assert_eq!(name, "sold");
}
