-- Leads lie in partitions by month (UTC) of received_at. The table of before becomes the first of them as it is: nothing is copied or
-- indexed anew, and programs of before this read and write distribution.leads as they did.
--
-- Each partition has a primary key of its own, because leads are looked up by their id; distribution.lead_ids sees that an id is there once in all of
-- them. The last partition takes what no month's does, so that no lead is refused for want of one.

-- In one hold: whoever comes meanwhile waits some milliseconds.
SELECT distribution.lock_soon('{distribution.leads IN ACCESS EXCLUSIVE MODE}', 100);
ALTER TABLE distribution.leads RENAME TO leads_first;
ALTER INDEX distribution.leads_pkey RENAME TO leads_first_pkey;
ALTER INDEX distribution.leads_for_sale RENAME TO leads_first_for_sale;
ALTER INDEX distribution.leads_to_expire RENAME TO leads_first_to_expire;
ALTER INDEX distribution.leads_of_seller RENAME TO leads_first_of_seller;
DROP TRIGGER keep_lead_ids ON distribution.leads_first;

CREATE TABLE distribution.leads (
    LIKE distribution.leads_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS INCLUDING STORAGE
) PARTITION BY RANGE (received_at);
ALTER TABLE distribution.leads DROP CONSTRAINT leads_first_until;
-- As the first partition's, which become theirs: see 0002 and 0006.
CREATE INDEX leads_for_sale ON distribution.leads (campaign_id, received_at, lead_id) WHERE outcome = 3 AND NOT test;
CREATE INDEX leads_to_expire ON distribution.leads (expires_at) WHERE outcome = 3 AND NOT test;
CREATE INDEX leads_of_seller ON distribution.leads (seller_id, received_at, lead_id)
    INCLUDE (supplier_id, campaign_id, category_id, outcome, test, buyers_assigned, price);
DO $$
DECLARE
    until text;
BEGIN
    SELECT substring(pg_get_expr(conbin, conrelid) FROM '''([^'']+)''') INTO STRICT until FROM pg_constraint
    WHERE conrelid = 'distribution.leads_first'::regclass AND conname = 'leads_first_until';
    EXECUTE format('ALTER TABLE distribution.leads ATTACH PARTITION distribution.leads_first FOR VALUES FROM (MINVALUE) TO (%L)', until);
END $$;
ALTER TABLE distribution.leads_first DROP CONSTRAINT leads_first_until;
CREATE TABLE distribution.leads_default PARTITION OF distribution.leads (PRIMARY KEY (lead_id)) DEFAULT;

CREATE TRIGGER keep_lead_ids AFTER INSERT ON distribution.leads REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION distribution.keep_lead_ids();
SELECT distribution.guard_tenants();
GRANT SELECT, INSERT, UPDATE, DELETE ON distribution.leads TO leadflow_distribution;
GRANT SELECT, UPDATE (outcome, reason, decided_at, expires_at) ON distribution.leads TO leadflow_distribution_tenant;
-- To count what lies there.
GRANT SELECT ON distribution.leads_default TO leadflow_distribution;
-- Tenants read the whole, never a part.
REVOKE ALL ON distribution.leads_first FROM leadflow_distribution_tenant;

-- The first moments of those months, from that of `at` on, which have no partition.
CREATE FUNCTION distribution.missing_months(at timestamptz, ahead integer) RETURNS SETOF timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT month.begins FROM (
        SELECT date_trunc('month', at) + make_interval(months => n) AS begins FROM generate_series(0, ahead) AS n) month
    WHERE NOT EXISTS (
        SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
        WHERE i.inhparent = 'distribution.leads'::regclass AND bound <> 'DEFAULT'
          AND (bound LIKE 'FOR VALUES FROM (MINVALUE)%'
               OR substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz <= month.begins)
          AND substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz > month.begins)
    ORDER BY 1
$$;

-- Makes the partitions of the month of `at` and so many months after it, and moves there what the last partition has of them. Any number
-- may do this at once, and nearly always there is nothing to do. As whoever owns the tables, because services do not: hence
-- the fixed path, and no right for anybody else. Returns how many were made.
CREATE FUNCTION distribution.make_months(at timestamptz, ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    begins timestamptz;
    month text;
    columns text;
    made integer := 0;
BEGIN
    IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 12 THEN
        RAISE EXCEPTION 'months are made up to twelve ahead' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM distribution.missing_months(at, ahead)) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('distribution.make_months', 0));
    FOR begins IN SELECT * FROM distribution.missing_months(at, ahead) LOOP
        -- Nobody writes meanwhile: a row on its way to the last partition would be refused when its month is taken from there. Writers
        -- and readers take the whole first, then the parts, as this does.
        PERFORM distribution.lock_soon('{ONLY distribution.leads IN SHARE ROW EXCLUSIVE MODE, '
            'distribution.leads_default IN ACCESS EXCLUSIVE MODE}', 10);
        month := format('distribution.leads_%s', to_char(begins, 'YYYY_MM'));
        EXECUTE format('CREATE TABLE %s (LIKE distribution.leads INCLUDING ALL, PRIMARY KEY (lead_id))', month);
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = 'distribution.leads'::regclass AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('WITH moved AS (DELETE FROM distribution.leads_default WHERE received_at >= %1$L AND received_at < %2$L RETURNING %3$s) '
            'INSERT INTO %4$s (%3$s) SELECT %3$s FROM moved', begins, begins + interval '1 month', columns, month);
        EXECUTE format('ALTER TABLE distribution.leads ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', month, begins,
            begins + interval '1 month');
        made := made + 1;
    END LOOP;
    PERFORM distribution.guard_tenants();
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION distribution.make_months(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION distribution.make_months(timestamptz, integer) TO leadflow_distribution;
SELECT distribution.make_months(now(), 3);
