-- Attempts lie in partitions by month (UTC) of started_at. The table of before becomes the first of them as it is, and programs of before read and
-- write notifier.attempts as they did.
--
-- Each partition has a primary key of its own. That an attempt is there once in all of them needs no more: it is written in the statement that ends its
-- lease, which is there once.

-- In one hold: whoever comes meanwhile waits some milliseconds.
SELECT notifier.lock_soon('{notifier.attempts IN ACCESS EXCLUSIVE MODE}', 100);
ALTER TABLE notifier.attempts RENAME TO attempts_first;
ALTER INDEX notifier.attempts_pkey RENAME TO attempts_first_pkey;
CREATE TABLE notifier.attempts (
    LIKE notifier.attempts_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS INCLUDING STORAGE
) PARTITION BY RANGE (started_at);
ALTER TABLE notifier.attempts DROP CONSTRAINT attempts_first_until;
DO $$
DECLARE
    until text;
BEGIN
    SELECT substring(pg_get_expr(conbin, conrelid) FROM '''([^'']+)''') INTO STRICT until FROM pg_constraint
    WHERE conrelid = 'notifier.attempts_first'::regclass AND conname = 'attempts_first_until';
    EXECUTE format('ALTER TABLE notifier.attempts ATTACH PARTITION notifier.attempts_first FOR VALUES FROM (MINVALUE) TO (%L)', until);
END $$;
ALTER TABLE notifier.attempts_first DROP CONSTRAINT attempts_first_until;
-- Takes what no month's does, so that no attempt is refused for want of one.
CREATE TABLE notifier.attempts_default PARTITION OF notifier.attempts (PRIMARY KEY (delivery_id, number)) DEFAULT;

ALTER TABLE notifier.attempts ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON notifier.attempts TO leadflow_notifier USING (true);
CREATE POLICY tenant ON notifier.attempts TO leadflow_notifier_tenant
    USING (EXISTS (SELECT FROM notifier.deliveries o WHERE o.delivery_id = attempts.delivery_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON notifier.attempts TO leadflow_notifier;
GRANT SELECT ON notifier.attempts TO leadflow_notifier_tenant;
-- Tenants read the whole, never a part.
REVOKE ALL ON notifier.attempts_first FROM leadflow_notifier_tenant;
DROP POLICY tenant ON notifier.attempts_first;
ALTER TABLE notifier.attempts_default ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON notifier.attempts_default TO leadflow_notifier USING (true);
-- To count what lies there.
GRANT SELECT ON notifier.attempts_default TO leadflow_notifier;

-- Since when attempts are kept; no row: all are.
CREATE TABLE notifier.attempts_kept (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    since  timestamptz NOT NULL
);
GRANT SELECT ON notifier.attempts_kept TO leadflow_notifier;

-- The partitions by month with their bounds; from -infinity for the first.
CREATE FUNCTION notifier.attempt_months() RETURNS TABLE (part regclass, begins timestamptz, ends timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT c.oid::regclass,
        CASE WHEN bound LIKE 'FOR VALUES FROM (MINVALUE)%' THEN '-infinity'
             ELSE substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz END,
        substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS bound
    WHERE i.inhparent = 'notifier.attempts'::regclass AND bound <> 'DEFAULT'
$$;

-- The first moments of those months, from that of `at` on, which have no partition.
CREATE FUNCTION notifier.missing_months(at timestamptz, ahead integer) RETURNS SETOF timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT month FROM (SELECT date_trunc('month', at) + make_interval(months => n) AS month FROM generate_series(0, ahead) AS n) m
    WHERE NOT EXISTS (SELECT FROM notifier.attempt_months() p WHERE p.begins <= month AND p.ends > month)
    ORDER BY 1
$$;

-- Makes the partitions of the month of `at` and so many months after it, and moves there what the last partition has of them. Any number
-- may do this at once, and nearly always there is nothing to do. As whoever owns the tables, because services do not: hence
-- the fixed path, and no right for anybody else. Returns how many were made.
CREATE FUNCTION notifier.make_months(at timestamptz, ahead integer) RETURNS integer
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
    IF NOT EXISTS (SELECT FROM notifier.missing_months(at, ahead)) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('notifier.months', 0));
    FOR begins IN SELECT * FROM notifier.missing_months(at, ahead) LOOP
        -- Nobody writes meanwhile: a row on its way to the last partition would be refused when its month is taken from there. Writers
        -- and readers take the whole first, then the parts, as this does.
        PERFORM notifier.lock_soon('{ONLY notifier.attempts IN SHARE ROW EXCLUSIVE MODE, '
            'notifier.attempts_default IN ACCESS EXCLUSIVE MODE}', 10);
        month := format('notifier.attempts_%s', to_char(begins, 'YYYY_MM'));
        EXECUTE format('CREATE TABLE %s (LIKE notifier.attempts INCLUDING ALL, PRIMARY KEY (delivery_id, number))', month);
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', month);
        EXECUTE format('CREATE POLICY service ON %s TO leadflow_notifier USING (true)', month);
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = 'notifier.attempts'::regclass AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('WITH moved AS (DELETE FROM notifier.attempts_default WHERE started_at >= %1$L AND started_at < %2$L RETURNING %3$s) '
            'INSERT INTO %4$s (%3$s) SELECT %3$s FROM moved', begins, begins + interval '1 month', columns, month);
        EXECUTE format('ALTER TABLE notifier.attempts ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', month, begins,
            begins + interval '1 month');
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION notifier.make_months(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notifier.make_months(timestamptz, integer) TO leadflow_notifier;

-- Drops the partitions that end so many months before this one or earlier, by the database's clock: a program whose clock is wrong drops nothing.
-- Returns how many were dropped.
CREATE FUNCTION notifier.drop_months(keep integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old record;
    dropped integer := 0;
    until timestamptz;
BEGIN
    IF keep IS NULL OR keep < 1 THEN
        RAISE EXCEPTION 'a month at least is kept' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    until := date_trunc('month', now()) - make_interval(months => keep);
    IF NOT EXISTS (SELECT FROM notifier.attempt_months() WHERE ends <= until) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('notifier.months', 0));
    PERFORM notifier.lock_soon('{notifier.attempts IN ACCESS EXCLUSIVE MODE}', 10);
    FOR old IN SELECT * FROM notifier.attempt_months() WHERE ends <= until LOOP
        EXECUTE format('DROP TABLE %s', old.part);
        INSERT INTO notifier.attempts_kept (since) VALUES (old.ends)
        ON CONFLICT (one) DO UPDATE SET since = greatest(attempts_kept.since, excluded.since);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION notifier.drop_months(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notifier.drop_months(integer) TO leadflow_notifier;
SELECT notifier.make_months(now(), 3);
