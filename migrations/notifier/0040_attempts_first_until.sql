-- Attempts at webhooks are to lie in partitions by month of started_at, so that old ones can be dropped at once. All of today's table become
-- the first partition, which ends with the next month (or with the month of the last attempt, should one be of later). Not checked yet,
-- so this takes a moment only. The steps from here to 0042 may be taken while programs of before run.

-- Takes locks ('… IN … MODE'), all or none, without making others wait for long: who waits for a lock makes all wait that come after. Fails after
-- so many tries.
CREATE FUNCTION notifier.lock_soon(wanted text[], tries integer) RETURNS void
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

DO $$
DECLARE
    until timestamptz;
BEGIN
    SELECT (date_trunc('month', greatest(now() + interval '1 month', max(started_at)) AT TIME ZONE 'UTC') + interval '1 month')
        AT TIME ZONE 'UTC' INTO until FROM notifier.attempts;
    PERFORM notifier.lock_soon('{notifier.attempts IN ACCESS EXCLUSIVE MODE}', 100);
    EXECUTE format('ALTER TABLE notifier.attempts ADD CONSTRAINT attempts_first_until CHECK (started_at < %L) NOT VALID', until);
END $$;
