//! Transactions in which PostgreSQL shows and changes the rows of one tenant only, whatever the statements say.

use std::ops::{Deref, DerefMut};

use leadflow_kernel::SellerId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

/// Opens transactions for one tenant each. Whoever is given this instead of a pool cannot reach another tenant's rows.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tenants {
    pool: PgPool,
    role: &'static str,
}

/// An open transaction of one tenant. It runs under the schema's tenant role, for which every table's row security
/// names the tenant. Dropped, it is rolled back; one that only read may simply be dropped.
#[derive(Debug)]
pub struct TenantTx(Transaction<'static, Postgres>);

impl Tenants {
    /// Over the connections of `pool`; `role` is the schema's tenant role (see `migrations/README.md`).
    #[must_use]
    pub const fn new(pool: PgPool, role: &'static str) -> Self {
        Self { pool, role }
    }

    /// Opens a transaction for `tenant`, in one round trip.
    ///
    /// # Errors
    /// Those of PostgreSQL; also when the role does not exist or may not be taken.
    pub async fn begin(&self, tenant: SellerId) -> Result<TenantTx, sqlx::Error> {
        // One message is one implicit transaction, which BEGIN at its end makes a real one: if the role cannot be
        // taken, nothing is left open.
        let sql = format!(
            "SET LOCAL ROLE {}; SET LOCAL leadflow.tenant = '{}'; BEGIN",
            self.role,
            tenant.uuid().hyphenated()
        );
        let pool = self.pool.clone();
        // In a task of its own: a caller who leaves while the answer is on its way must not leave a connection behind
        // that still has the role. What the task opened is rolled back then.
        let opening = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(sql)).await });
        match opening.await {
            Ok(opened) => Ok(TenantTx(opened?)),
            // The runtime is ending, or sqlx panicked.
            Err(error) => Err(sqlx::Error::Io(std::io::Error::other(error))),
        }
    }
}

impl TenantTx {
    /// Makes what was done last.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }

    /// Undoes what was done, and waits until that is so.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.0.rollback().await
    }
}

impl Deref for TenantTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for TenantTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
