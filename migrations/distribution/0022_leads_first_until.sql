-- All leads of today's table become the first partition, which ends with the next month (or with the month of the last lead, should one be
-- of later). Not checked yet, so this takes a moment only.
DO $$
DECLARE
    until timestamptz;
BEGIN
    SELECT (date_trunc('month', greatest(now() + interval '1 month', max(received_at)) AT TIME ZONE 'UTC') + interval '1 month')
        AT TIME ZONE 'UTC' INTO until FROM distribution.lead_ids;
    PERFORM distribution.lock_soon('{distribution.leads IN ACCESS EXCLUSIVE MODE}', 100);
    EXECUTE format('ALTER TABLE distribution.leads ADD CONSTRAINT leads_first_until CHECK (received_at < %L) NOT VALID', until);
END $$;
