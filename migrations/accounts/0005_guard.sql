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
    FOREACH wanted IN ARRAY ARRAY['leadflow_accounts', 'leadflow_accounts_tenant'] LOOP
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
CREATE FUNCTION accounts.guard_tenants() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN
        SELECT c.oid::regclass FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'seller_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'accounts'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY service ON %s TO leadflow_accounts USING (true)', guarded);
        EXECUTE format('CREATE POLICY tenant ON %s TO leadflow_accounts_tenant '
            'USING (seller_id = current_setting(''leadflow.tenant'')::uuid)', guarded);
    END LOOP;
END $$;
SELECT accounts.guard_tenants();

-- What belongs to a user is his tenant's.
ALTER TABLE accounts.sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON accounts.sessions TO leadflow_accounts USING (true);
CREATE POLICY tenant ON accounts.sessions TO leadflow_accounts_tenant
    USING (EXISTS (SELECT FROM accounts.users o WHERE o.user_id = sessions.user_id));
ALTER TABLE accounts.one_time_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON accounts.one_time_tokens TO leadflow_accounts USING (true);
CREATE POLICY tenant ON accounts.one_time_tokens TO leadflow_accounts_tenant
    USING (EXISTS (SELECT FROM accounts.users o WHERE o.user_id = one_time_tokens.user_id));

-- A view is read with the rights of whoever asks, not of its owner, who is not guarded.
ALTER VIEW accounts.people SET (security_invoker = true);

-- The least that such transactions need. Nothing of allowances; of the outbox only that events are added; the audit is
-- only added to.
GRANT USAGE ON SCHEMA accounts TO leadflow_accounts_tenant;
GRANT SELECT, INSERT, UPDATE ON accounts.sellers, accounts.buyers, accounts.suppliers, accounts.api_keys,
    accounts.users, accounts.invite_codes TO leadflow_accounts_tenant;
GRANT SELECT, INSERT, DELETE ON accounts.sessions, accounts.one_time_tokens TO leadflow_accounts_tenant;
GRANT SELECT, INSERT ON accounts.audit_entries TO leadflow_accounts_tenant;
GRANT SELECT ON accounts.people TO leadflow_accounts_tenant;
GRANT INSERT ON accounts.outbox TO leadflow_accounts_tenant;
