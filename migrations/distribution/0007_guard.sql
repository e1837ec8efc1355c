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
    FOREACH wanted IN ARRAY ARRAY['leadflow_distribution', 'leadflow_distribution_tenant'] LOOP
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
CREATE FUNCTION distribution.guard_tenants() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN
        SELECT c.oid::regclass FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'seller_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'distribution'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('CREATE POLICY service ON %s TO leadflow_distribution USING (true)', guarded);
        EXECUTE format('CREATE POLICY tenant ON %s TO leadflow_distribution_tenant '
            'USING (seller_id = current_setting(''leadflow.tenant'')::uuid)', guarded);
    END LOOP;
END $$;
SELECT distribution.guard_tenants();

-- What belongs to a campaign or a sale is its tenant's. (Fingerprints are of no use to such transactions, so the tenant role has no
-- right to them.)
ALTER TABLE distribution.subscription_rotation ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON distribution.subscription_rotation TO leadflow_distribution USING (true);
CREATE POLICY tenant ON distribution.subscription_rotation TO leadflow_distribution_tenant
    USING (EXISTS (SELECT FROM distribution.campaign_routing o WHERE o.campaign_id = subscription_rotation.campaign_id));
ALTER TABLE distribution.campaign_retry ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON distribution.campaign_retry TO leadflow_distribution USING (true);
CREATE POLICY tenant ON distribution.campaign_retry TO leadflow_distribution_tenant
    USING (EXISTS (SELECT FROM distribution.campaign_routing o WHERE o.campaign_id = campaign_retry.campaign_id));
ALTER TABLE distribution.assignment_views ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON distribution.assignment_views TO leadflow_distribution USING (true);
CREATE POLICY tenant ON distribution.assignment_views TO leadflow_distribution_tenant
    USING (EXISTS (SELECT FROM distribution.assignments o WHERE o.assignment_id = assignment_views.assignment_id));

-- The least that such transactions need. UPDATE of one column only is for row locks. Of the outbox only that events
-- are added.
GRANT USAGE ON SCHEMA distribution TO leadflow_distribution_tenant;
GRANT SELECT, INSERT, UPDATE ON distribution.categories, distribution.campaigns, distribution.subscriptions,
    distribution.campaign_routing, distribution.campaign_retry, distribution.assignment_views TO
    leadflow_distribution_tenant;
GRANT SELECT, INSERT ON distribution.subscription_rotation TO leadflow_distribution_tenant;
GRANT SELECT ON distribution.sellers, distribution.buyers, distribution.leads, distribution.assignments TO
    leadflow_distribution_tenant;
GRANT UPDATE (seller_id) ON distribution.sellers, distribution.buyers TO leadflow_distribution_tenant;
GRANT INSERT ON distribution.outbox TO leadflow_distribution_tenant;
