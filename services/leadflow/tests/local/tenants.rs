//! Every table of every schema is guarded: what names a tenant has row security, and whoever works for one tenant has
//! no right to anything that has not.

use std::process::{Command, Output};

use leadflow_testkit::TestDb;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgPool, postgres::PgConnectOptions};

const MIGRATORS: [&sqlx::migrate::Migrator; 4] = [
    &leadflow_accounts::MIGRATOR,
    &leadflow_billing::MIGRATOR,
    &leadflow_distribution::MIGRATOR,
    &leadflow_notifier::MIGRATOR,
];
const SCHEMAS: [&str; 4] = ["accounts", "billing", "distribution", "notifier"];

/// The names that a question gives back.
async fn names(pool: &PgPool, question: &'static str) -> Vec<String> {
    sqlx::query_scalar(question).bind(SCHEMAS).fetch_all(pool).await.expect("ask the catalogue")
}

#[tokio::test]
async fn whatever_names_a_tenant_is_guarded() {
    let db = TestDb::create(&MIGRATORS).await.expect("database");
    let unguarded = names(
        db.pool(),
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'seller_id' AND NOT a.attisdropped \
         WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND EXISTS ( \
           SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*' \
             AND p.polroles = ARRAY[('leadflow_' || n.nspname || '_tenant')::regrole::oid] \
             AND pg_get_expr(p.polqual, p.polrelid) = \
                 '(seller_id = (current_setting(''leadflow.tenant''::text))::uuid)' AND p.polwithcheck IS NULL))",
    )
    .await;
    assert!(
        unguarded.is_empty(),
        "no row security on {unguarded:?}: end their migration with `SELECT <schema>.guard_tenants();`"
    );
}

#[tokio::test]
async fn who_works_for_one_tenant_can_reach_nothing_unguarded() {
    let db = TestDb::create(&MIGRATORS).await.expect("database");
    // Only the outbox, to which events may be added, and nothing more.
    let unguarded = names(
        db.pool(),
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         CROSS JOIN LATERAL (SELECT ('leadflow_' || n.nspname || '_tenant')::regrole::oid AS role) t \
         WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') \
           AND (has_any_column_privilege(t.role, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') \
             OR has_table_privilege(t.role, c.oid, 'DELETE, TRUNCATE, TRIGGER')) \
           AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid \
             AND t.role = ANY(p.polroles) AND pg_get_expr(p.polqual, p.polrelid) <> 'true')) \
           AND NOT (c.relname = 'outbox' AND has_table_privilege(t.role, c.oid, 'INSERT') \
             AND NOT has_any_column_privilege(t.role, c.oid, 'SELECT, UPDATE, REFERENCES') \
             AND NOT has_table_privilege(t.role, c.oid, 'DELETE, TRUNCATE, TRIGGER'))",
    )
    .await;
    assert!(unguarded.is_empty(), "the tenant role may use {unguarded:?}, which no policy guards");

    // What is guarded beside the tenant role's own policy lets only the service see everything.
    let policies = names(
        db.pool(),
        "SELECT format('%s on %s', p.polname, p.polrelid::regclass) FROM pg_policy p \
         JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = ANY($1) \
           AND p.polroles <> ARRAY[('leadflow_' || n.nspname || '_tenant')::regrole::oid] \
           AND p.polroles <> ARRAY[('leadflow_' || n.nspname)::regrole::oid]",
    )
    .await;
    assert!(policies.is_empty(), "{policies:?} are for others than the service and its tenants");

    // Views and functions would act with their owner's rights, who is not guarded.
    let views = names(
        db.pool(),
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = ANY($1) AND (c.relkind = 'm' OR (c.relkind = 'v' \
           AND NOT coalesce(c.reloptions, '{}') @> '{security_invoker=true}'))",
    )
    .await;
    assert!(views.is_empty(), "{views:?} must be made WITH (security_invoker = true)");
    let functions = names(
        db.pool(),
        // Those that care for partitions must, because services own no table: with a fixed path, and for the service alone.
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = ANY($1) AND p.prosecdef AND NOT (p.proname IN ('make_months', 'drop_months') \
           AND 'search_path=pg_catalog, pg_temp' = ANY(p.proconfig) \
           AND NOT has_function_privilege('leadflow_' || n.nspname || '_tenant', p.oid, 'EXECUTE') \
           AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0))",
    )
    .await;
    assert!(functions.is_empty(), "{functions:?} act with their owner's rights");

    let unfit = names(
        db.pool(),
        "SELECT r.rolname::text FROM pg_roles r JOIN pg_namespace n ON r.rolname = 'leadflow_' || n.nspname || '_tenant' \
         WHERE n.nspname = ANY($1) AND (r.rolsuper OR r.rolbypassrls OR r.rolcanlogin OR r.rolcreaterole \
           OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) \
           OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) \
           OR EXISTS (SELECT FROM pg_namespace o WHERE o.nspname <> n.nspname AND o.nspname = ANY($1) \
                AND has_schema_privilege(r.oid, o.oid, 'USAGE')))",
    )
    .await;
    assert!(unfit.is_empty(), "{unfit:?} can do more than work for one tenant");
}

fn migrate(url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leadflow"))
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", url)
        .current_dir("/")
        .output()
        .expect("run leadflow")
}

/// A login of its own, as managed PostgreSQL gives: it owns the database and is no superuser.
struct Login {
    name: String,
    url: String,
}

impl Login {
    async fn make(db: &TestDb, rights: &str) -> Self {
        let options: PgConnectOptions = db.url().parse().expect("a URL");
        let database = options.get_database().expect("a database").to_owned();
        let name = format!("{database}_owner");
        for sql in [
            format!("CREATE ROLE {name} LOGIN PASSWORD 'secret' {rights}"),
            format!("ALTER DATABASE {database} OWNER TO {name}"),
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(db.pool()).await.expect("a login");
        }
        let url = options.username(&name).password("secret").to_url_lossy().to_string();
        Self { name, url }
    }

    /// What belongs to the login goes with it; the database is dropped by the test's end.
    async fn drop(self, db: &TestDb) {
        for sql in
            [format!("DROP OWNED BY {} CASCADE", self.name), format!("REASSIGN OWNED BY {} TO CURRENT_USER", self.name)]
                .into_iter()
                .rev()
        {
            sqlx::query(AssertSqlSafe(sql)).execute(db.pool()).await.expect("give up what it owns");
        }
        sqlx::query(AssertSqlSafe(format!("DROP ROLE {}", self.name)))
            .execute(db.pool())
            .await
            .expect("drop the login");
    }
}

/// The service's connections work under the roles that migrating made.
async fn services_can_work(url: &str) {
    for schema in SCHEMAS {
        let pool = PgPool::connect(url).await.expect("connect");
        let mut connection = pool.acquire().await.expect("connect");
        for role in [format!("leadflow_{schema}"), format!("leadflow_{schema}_tenant")] {
            sqlx::raw_sql(AssertSqlSafe(format!("SET ROLE {role}"))).execute(&mut *connection).await.expect("take it");
            sqlx::raw_sql("RESET ROLE").execute(&mut *connection).await.expect("give it back");
        }
    }
}

#[tokio::test]
async fn a_login_that_may_make_roles_is_enough() {
    let db = TestDb::create(&[]).await.expect("database");
    let login = Login::make(&db, "CREATEROLE").await;
    for _ in 0..2 {
        let output = migrate(&login.url);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    services_can_work(&login.url).await;
    login.drop(&db).await;
}

#[tokio::test]
async fn a_login_that_may_not_is_told_what_an_administrator_must_say() {
    let db = TestDb::create(&[]).await.expect("database");
    // The roles belong to the whole server and are there; only whether this login may take them is its own.
    assert!(migrate(&db.url()).status.success());
    let other = TestDb::create(&[]).await.expect("database");
    let login = Login::make(&other, "").await;
    let refused = migrate(&login.url);
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("an administrator must say once"), "{text}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'accounts'")
        .fetch_one(other.pool())
        .await
        .expect("ask");
    assert_eq!(tables, 0, "something was done before the refusal");
    for schema in SCHEMAS {
        for role in [format!("leadflow_{schema}"), format!("leadflow_{schema}_tenant")] {
            let grant = format!("GRANT {role} TO {};", login.name);
            assert!(text.contains(&grant), "{text}");
            sqlx::raw_sql(AssertSqlSafe(grant)).execute(other.pool()).await.expect("grant");
        }
    }
    let output = migrate(&login.url);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    services_can_work(&login.url).await;
    login.drop(&other).await;
}
