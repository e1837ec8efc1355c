-- Isolation of tenants below the program: whatever a statement says, a transaction that was opened for one tenant sees
-- and changes that tenant's rows only. Two roles work on this schema. The service's own sees all rows: it is what
-- workers and batches run under, which are many tenants' by nature. The tenant role is taken by transactions that
-- answer or change something for one tenant (`db::Tenants`), which is named by the setting leadflow.tenant; without
-- it every row is refused with an error. Neither owns anything. See migrations/README.md.

-- Roles belong to the whole server, and other databases are migrated at the same time. Without the right to make roles,
-- an administrator makes them first.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['leadflow_billing', 'leadflow_billing_tenant'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
END $$;

-- Guards every table of the schema that names its tenant and is not guarded yet. Called again by each migration that
-- adds one.
CREATE FUNCTION billing.guard_tenants() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN
        SELECT c.oid::regclass FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'seller_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'billing'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY service ON %s TO leadflow_billing USING (true)', guarded);
        EXECUTE format('CREATE POLICY tenant ON %s TO leadflow_billing_tenant '
            'USING (seller_id = current_setting(''leadflow.tenant'')::uuid)', guarded);
    END LOOP;
END $$;
SELECT billing.guard_tenants();

-- A line of the ledger belongs to the tenant of its account.
ALTER TABLE billing.entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON billing.entries TO leadflow_billing USING (true);
CREATE POLICY tenant ON billing.entries TO leadflow_billing_tenant
    USING (EXISTS (SELECT FROM billing.accounts o WHERE o.account_id = entries.account_id));

-- The least that such transactions need. Holds are written by the statement that also writes wallets, so both rights are
-- needed. Of the outbox only that events are added.
GRANT USAGE ON SCHEMA billing TO leadflow_billing_tenant;
GRANT SELECT, INSERT, UPDATE ON billing.holds TO leadflow_billing_tenant;
GRANT SELECT, UPDATE ON billing.wallets TO leadflow_billing_tenant;
GRANT SELECT, INSERT ON billing.postings, billing.entries, billing.credits TO leadflow_billing_tenant;
GRANT SELECT ON billing.sellers, billing.accounts TO leadflow_billing_tenant;
GRANT INSERT ON billing.outbox TO leadflow_billing_tenant;
