-- Leads are to lie in one partition a month of received_at, and a partition knows only its own keys. So what makes a lead be
-- there once, whichever month it is posted again in, is a narrow table of all leads; it also tells in which month a lead lies.
-- A trigger keeps it, so programs of before this keep it too. The steps from here to 0024 may be taken while they run.

-- Takes locks ('… IN … MODE'), all or none, without making others wait for long: who waits for a lock makes all wait that come after. Fails after
-- so many tries.
CREATE FUNCTION distribution.lock_soon(wanted text[], tries integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
    lock text;
BEGIN
    FOR try IN 1..tries LOOP
        BEGIN
            FOREACH lock IN ARRAY wanted LOOP
                EXECUTE 'LOCK TABLE ' || lock;
            END LOOP;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            IF try = tries THEN RAISE; END IF;
            PERFORM pg_sleep(0.1 + random() / 2);
        END;
    END LOOP;
END $$;

CREATE TABLE distribution.lead_ids (
    lead_id     uuid PRIMARY KEY,
    received_at timestamptz NOT NULL,
    seller_id   uuid NOT NULL
);
SELECT distribution.guard_tenants();
-- At once: the trigger writes as whoever writes the lead.
GRANT SELECT, INSERT, UPDATE, DELETE ON distribution.lead_ids TO leadflow_distribution;
GRANT SELECT ON distribution.lead_ids TO leadflow_distribution_tenant;

-- In order, so that two batches with the same leads never wait for each other.
CREATE FUNCTION distribution.keep_lead_ids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO distribution.lead_ids (lead_id, received_at, seller_id)
    SELECT lead_id, received_at, seller_id FROM written ORDER BY lead_id;
    RETURN NULL;
END $$;
-- Whoever writes leads at the moment ends first: afterwards every lead that is not in the table is there to be read.
SELECT distribution.lock_soon('{distribution.leads IN SHARE ROW EXCLUSIVE MODE}', 100);
CREATE TRIGGER keep_lead_ids AFTER INSERT ON distribution.leads REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION distribution.keep_lead_ids();
