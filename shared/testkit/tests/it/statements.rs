use leadflow_testkit::{StatementCounter, TestDb};
use sqlx::{Connection as _, PgConnection};

#[tokio::test]
async fn every_statement_is_counted_once_however_it_is_sent() {
    let db = TestDb::create(&[]).await.expect("database");
    let counter = StatementCounter::start(&db.url()).await.expect("counter");
    let mut connection = PgConnection::connect(counter.url()).await.expect("connect");
    let _ = counter.take();

    // Prepared once, executed three times, with a parameter that looks like another message.
    for number in 0..3_i32 {
        let text = format!("Q\0\0\0\u{5}E{number}").replace('\0', "-");
        let answer: String =
            sqlx::query_scalar("SELECT $1 || 'x'").bind(&text).fetch_one(&mut connection).await.expect("an answer");
        assert_eq!(answer, format!("{text}x"));
    }
    assert_eq!(counter.take(), ["SELECT $1 || 'x'"; 3]);

    let mut transaction = connection.begin().await.expect("begin");
    sqlx::raw_sql("CREATE TABLE seen (id int)").execute(&mut *transaction).await.expect("a table");
    let many: Vec<i32> = (0..50_000).collect();
    sqlx::query("INSERT INTO seen SELECT * FROM unnest($1::int[])")
        .bind(many)
        .execute(&mut *transaction)
        .await
        .expect("rows");
    transaction.commit().await.expect("commit");
    let expected =
        ["BEGIN", "CREATE TABLE seen (id int)", "INSERT INTO seen SELECT * FROM unnest($1::int[])", "COMMIT"];
    assert_eq!(counter.take(), expected);

    // Two connections have names of their own.
    let mut other = PgConnection::connect(counter.url()).await.expect("connect");
    let _ = counter.take();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM seen").fetch_one(&mut other).await.expect("a count");
    assert_eq!(rows, 50_000);
    assert!(sqlx::query("SELECT nothing").execute(&mut other).await.is_err());
    assert_eq!(counter.take().first().map(String::as_str), Some("SELECT count(*) FROM seen"));
}
