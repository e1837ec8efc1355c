-- A secret is replaced with a day in which both are good.
ALTER TABLE notifier.endpoints
    ADD COLUMN old_secret        bytea,
    ADD COLUMN old_secret_key_id text,
    -- What is sent until then is signed with it, too.
    ADD COLUMN old_secret_until  timestamptz,
    ADD CHECK ((old_secret IS NULL) = (old_secret_key_id IS NULL) AND (old_secret IS NULL) = (old_secret_until IS NULL));

-- An ended delivery may be sent again.
ALTER TABLE notifier.deliveries
    -- Attempts before it was last sent again: its schedule begins anew.
    ADD COLUMN attempts_before integer NOT NULL DEFAULT 0,
    -- It had arrived before it was sent again: whatever comes of that, the receiver has it.
    ADD COLUMN arrived         boolean NOT NULL DEFAULT false;
GRANT UPDATE (status, due_at, ended_at, error, lease, attempts_before, arrived) ON notifier.deliveries TO leadflow_notifier_tenant;
