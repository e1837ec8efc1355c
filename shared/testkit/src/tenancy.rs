//! Proves that transactions of one tenant see and change that tenant's rows only, in every table of a schema and
//! without any condition in the statements.

use std::{collections::BTreeSet, ops::DerefMut};

use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use uuid::Uuid;

/// What PostgreSQL answers when a right is missing or row security forbids a row.
const FORBIDDEN: &str = "42501";

/// A table and what the tenant role may do with it.
#[derive(sqlx::FromRow)]
struct Table {
    name: String,
    first_column: String,
    names_tenant: bool,
    read: bool,
    insert: bool,
    update: bool,
    delete: bool,
}

/// Goes over every table of `schema`, which must have rows of both tenants wherever `role` may read. `all` sees every
/// row; `open` opens a transaction of a tenant as the service does. Returns the tables that tenants' transactions
/// read, in alphabetical order.
///
/// # Panics
/// When a row of another tenant can be seen, changed, deleted or made.
pub async fn prove<T>(
    all: &PgPool,
    schema: &str,
    role: &str,
    (mine, theirs): (Uuid, Uuid),
    open: impl AsyncFn(Uuid) -> T,
) -> Vec<String>
where
    T: DerefMut<Target = PgConnection>,
{
    let tables: Vec<Table> = sqlx::query_as(
        "SELECT format('%I.%I', $1::text, c.relname) AS name, \
           (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1) AS first_column, \
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'seller_id') AS names_tenant, \
           has_table_privilege($2, c.oid, 'SELECT') AS read, has_table_privilege($2, c.oid, 'INSERT') AS insert, \
           has_table_privilege($2, c.oid, 'UPDATE') AS update, has_table_privilege($2, c.oid, 'DELETE') AS delete \
         FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname",
    )
    .bind(schema)
    .bind(role)
    .fetch_all(all)
    .await
    .expect("the schema's tables");
    covering_indexes_name_the_tenant(all, schema).await;
    let mut proven = Vec::new();
    for table in tables {
        let name = &table.name;
        if !table.read {
            let read = format!("SELECT * FROM {name}");
            assert_eq!(refusal(&mut *open(mine).await, &read).await, FORBIDDEN, "{read}");
            continue;
        }
        let (own, others) = (rows(&mut *open(mine).await, name).await, rows(&mut *open(theirs).await, name).await);
        assert!(!own.is_empty() && !others.is_empty(), "{name} has no rows of each tenant: nothing is proven");
        assert!(own.is_disjoint(&others), "{name}: both tenants see the same rows");
        if table.names_tenant {
            let sql = format!("SELECT ctid::text FROM {name} WHERE seller_id = $1");
            let named: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(mine).fetch_all(all).await.expect("rows of a tenant");
            assert_eq!(own, named.into_iter().collect(), "{name}");
        }
        changes(&table, &own, mine, theirs, &open).await;
        makes_none(all, &table, &others, mine, &open).await;
        proven.push(name.clone());
    }
    proven
}

/// Row security looks at the tenant of every row: an index that is meant to be read without its table needs it, too.
async fn covering_indexes_name_the_tenant(all: &PgPool, schema: &str) {
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'seller_id' \
         WHERE c.relnamespace = $1::regnamespace AND c.relrowsecurity AND i.indnatts > i.indnkeyatts \
           AND a.attnum <> ALL(i.indkey::int2[])",
    )
    .bind(schema)
    .fetch_all(all)
    .await
    .expect("the schema's indexes");
    assert!(without.is_empty(), "these indexes do not name the tenant: {without:?}");
}

/// Changing and deleting everything changes and deletes what is one's own, and nothing can be given away.
async fn changes<T>(table: &Table, own: &BTreeSet<String>, mine: Uuid, theirs: Uuid, open: &impl AsyncFn(Uuid) -> T)
where
    T: DerefMut<Target = PgConnection>,
{
    let Table { name, first_column, .. } = table;
    let update = format!("UPDATE {name} SET {first_column} = {first_column}");
    let delete = format!("DELETE FROM {name}");
    for (allowed, sql) in [(table.update, update), (table.delete, delete)] {
        let mut tx = open(mine).await;
        let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut *tx).await;
        if allowed {
            assert_eq!(done.expect(&sql).rows_affected(), own.len() as u64, "{sql}");
        } else if sql.starts_with("DELETE") {
            // (One column of some tables may be updated, so that their rows can be locked.)
            assert!(done.is_err(), "{sql}");
        }
    }
    if table.names_tenant {
        let give_away = format!("UPDATE {name} SET seller_id = '{theirs}'");
        assert_eq!(refusal(&mut *open(mine).await, &give_away).await, FORBIDDEN, "{give_away}");
    }
}

/// A row that another tenant has cannot be made.
async fn makes_none<T>(
    all: &PgPool,
    table: &Table,
    others: &BTreeSet<String>,
    mine: Uuid,
    open: &impl AsyncFn(Uuid) -> T,
) where
    T: DerefMut<Target = PgConnection>,
{
    let name = &table.name;
    let (sql, one) = (format!("SELECT to_jsonb(t)::text FROM {name} t WHERE ctid = $1::tid"), others.first());
    let row: String = sqlx::query_scalar(AssertSqlSafe(sql)).bind(one).fetch_one(all).await.expect("another's row");
    let row = row.replace('\'', "''");
    let insert = format!("INSERT INTO {name} SELECT * FROM jsonb_populate_record(NULL::{name}, '{row}')");
    let refused = refusal(&mut *open(mine).await, &insert).await;
    assert_eq!(refused, FORBIDDEN, "{insert} (may insert: {})", table.insert);
}

async fn rows(tenant: &mut PgConnection, table: &str) -> BTreeSet<String> {
    let sql = format!("SELECT ctid::text FROM {table}");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(tenant).await.expect(table);
    rows.into_iter().collect()
}

/// The code with which a statement is refused; empty when it is not.
async fn refusal(tenant: &mut PgConnection, sql: &str) -> String {
    match sqlx::query(AssertSqlSafe(sql.to_owned())).execute(tenant).await {
        Ok(_) => String::new(),
        Err(error) => error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned(),
    }
}
