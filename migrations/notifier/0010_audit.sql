-- Who changed what. Written in the transaction of the change; never changed or deleted.
CREATE TABLE notifier.audit_entries (
    audit_id      uuid PRIMARY KEY,
    -- The tenant that may read it.
    seller_id     uuid NOT NULL,
    at            timestamptz NOT NULL,
    -- NULL when the caller is a service.
    actor_user_id uuid,
    -- What the user was then.
    actor_role    text CHECK (actor_role IN ('OWNER', 'MANAGER', 'VIEWER', 'BUYER', 'SUPPLIER', 'ADMIN')),
    action        text NOT NULL,
    subject_id    text NOT NULL,
    before        jsonb,
    after         jsonb
);
CREATE INDEX audit_by_time ON notifier.audit_entries (seller_id, at DESC, audit_id DESC);

CREATE FUNCTION notifier.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit are never changed or deleted';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON notifier.audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION notifier.audit_is_append_only();

SELECT notifier.guard_tenants();
GRANT SELECT, INSERT ON notifier.audit_entries TO leadflow_notifier_tenant;

-- Counts what can be set: by its owner, and switched off by the system. Two who change it at once know of each other by it.
ALTER TABLE notifier.endpoints ADD COLUMN version bigint NOT NULL DEFAULT 1;
