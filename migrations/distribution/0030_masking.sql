-- Personal data of leads is removed when its time is up, or when somebody asks for it. What was decided and paid stays.

-- Days after which that happens to the tenant's leads, as accounts says; 0: as the service's setting says.
ALTER TABLE distribution.sellers
    ADD COLUMN retention_days integer NOT NULL DEFAULT 0 CHECK (retention_days BETWEEN 0 AND 3650);

-- Since then data, raw, unknown_fields, reference and body_hash are empty, and the lead is not for sale. NULL: they are as they came.
ALTER TABLE distribution.leads ADD COLUMN masked_at timestamptz;

-- How far a tenant's leads have been looked at: those up to the cursor are masked. A lead that is decided long after it was received sets the
-- cursor back, in the transaction that writes it.
CREATE TABLE distribution.retention (
    seller_id uuid PRIMARY KEY,
    cursor_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    cursor_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    due_at    timestamptz NOT NULL,
    -- When its fingerprints are looked at next.
    prints_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
);
CREATE INDEX retention_due ON distribution.retention (due_at);
SELECT distribution.guard_tenants();

-- What was asked and decided stays; what people wrote about the lead's person may be removed.
CREATE OR REPLACE FUNCTION distribution.returns_are_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    words constant text[] := ARRAY['note', 'decision_note'];
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'returns are never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'requested'
        AND (to_jsonb(NEW) - words <> to_jsonb(OLD) - words
            OR NEW.note NOT IN (OLD.note, '') OR NEW.decision_note NOT IN (OLD.decision_note, '')) THEN
        RAISE EXCEPTION 'return % was decided', OLD.return_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
