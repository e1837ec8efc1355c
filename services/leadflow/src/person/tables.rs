//! Every column of every table.

use anyhow::Context as _;
use leadflow_platform::db::{self, DbSettings, Tenants};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::{Found, Place, Wanted};
use crate::migrate::Schema;

/// A table, and its columns that may hold a text.
#[derive(Debug, sqlx::FromRow)]
struct Table {
    /// With its schema, quoted.
    name: String,
    /// Quoted.
    columns: Vec<String>,
    /// As they are read as text.
    texts: Vec<String>,
    names_tenant: bool,
    /// A tenant's transactions may read it: what is not his is not seen.
    guarded: bool,
}

/// Partitions are read with their table. Of bytes the printable ones are looked at: JSON inside of them is as it is.
const TABLES: &str = "\
    SELECT format('%I.%I', $1, c.relname) AS name, array_agg(format('%I', a.attname) ORDER BY a.attnum) AS columns, \
      array_agg(CASE WHEN t.typname = 'bytea' THEN format('encode(%I, ''escape'')', a.attname) ELSE format('%I::text', a.attname) END \
        ORDER BY a.attnum) AS texts, \
      EXISTS (SELECT FROM pg_attribute s WHERE s.attrelid = c.oid AND s.attname = 'seller_id' AND NOT s.attisdropped) AS names_tenant, \
      has_table_privilege($2, c.oid, 'SELECT') AS guarded \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' \
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition \
      AND (t.typcategory = 'S' OR t.typname IN ('json', 'jsonb', 'bytea', 'xml') OR e.typcategory = 'S' OR e.typname IN ('json', 'jsonb')) \
    GROUP BY c.oid, c.relname ORDER BY c.relname";

/// Searches all of a schema.
pub(super) async fn search(schema: &Schema, wanted: &Wanted, found: &mut Found) -> anyhow::Result<()> {
    let pool = db::connect(&DbSettings { max_connections: 2, ..schema.database.clone() })
        .with_context(|| format!("the database URL of {} cannot be read", schema.name))?;
    let tables: Vec<Table> = sqlx::query_as(TABLES)
        .bind(schema.name)
        .bind(schema.tenant_role)
        .fetch_all(&pool)
        .await
        .with_context(|| format!("cannot read the tables of {}", schema.name))?;
    let tenants = Tenants::new(pool.clone(), schema.tenant_role);
    for table in tables {
        let counts = if table.guarded {
            count(&mut *tenants.begin(wanted.seller).await?, &table, wanted).await
        } else {
            count(&mut *pool.begin().await?, &table, wanted).await
        };
        let counts = counts.with_context(|| format!("cannot search {}", table.name))?;
        for (column, count) in table.columns.iter().zip(counts) {
            let name = format!("{}.{column}", table.name);
            found.searched += 1;
            if ["secret", "sealed"].iter().any(|word| column.contains(word)) {
                found.sealed.push(name.clone());
            }
            if count > 0 {
                found.places.push(Place { name, count });
            }
        }
    }
    pool.close().await;
    Ok(())
}

/// For each column how many rows name him.
async fn count(connection: &mut PgConnection, table: &Table, wanted: &Wanted) -> Result<Vec<i64>, sqlx::Error> {
    // Everything is read, however long it takes.
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *connection).await?;
    let counts: Vec<String> = table
        .texts
        .iter()
        .map(|text| {
            format!(
                "count(*) FILTER (WHERE $1 <> '' AND strpos(lower({text}), $1) > 0 \
                   OR $2 <> '' AND strpos(regexp_replace({text}, '[[:space:]().+/-]', '', 'g'), $2) > 0)"
            )
        })
        .collect();
    // What names no tenant may be anybody's.
    let whose = if table.names_tenant { "seller_id = $3 OR seller_id IS NULL" } else { "$3::uuid IS NOT NULL" };
    // The names come from the catalogue, which quoted them.
    let sql = format!("SELECT {} FROM {} WHERE {whose}", counts.join(", "), table.name);
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(&wanted.email)
        .bind(&wanted.number)
        .bind(wanted.seller.uuid())
        .fetch_one(connection)
        .await?;
    (0..table.texts.len()).map(|column| row.try_get(column)).collect()
}
