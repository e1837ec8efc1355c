-- Team members and suppliers' people are invited; the audit says what somebody was who acted, and is never changed.

-- Of one address in one tenant the newest invitation is the one that works. A row is deleted when it was accepted
-- or taken back.
CREATE TABLE accounts.invitations (
    invitation_id uuid PRIMARY KEY,
    seller_id     uuid NOT NULL REFERENCES accounts.sellers,
    member        text NOT NULL CHECK (member IN ('OWNER', 'MANAGER', 'VIEWER')),
    -- NULL: one of the team is invited.
    supplier_id   uuid,
    email         text NOT NULL,
    email_key     text NOT NULL CHECK (email_key = lower(email)),
    -- Of the token that was mailed, which is not kept.
    sha256        bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    invited_by    uuid,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    UNIQUE (seller_id, email_key),
    CHECK (supplier_id IS NULL OR member = 'OWNER'),
    FOREIGN KEY (supplier_id, seller_id) REFERENCES accounts.suppliers (supplier_id, seller_id)
);
CREATE INDEX invitations_by_end ON accounts.invitations (expires_at);

ALTER TABLE accounts.audit_entries
    -- What the user was then; NULL in entries from before, and for a caller that did not say.
    ADD COLUMN actor_role text CHECK (actor_role IN ('OWNER', 'MANAGER', 'VIEWER', 'BUYER', 'SUPPLIER', 'ADMIN'));
CREATE INDEX audit_by_time ON accounts.audit_entries (seller_id, at DESC, audit_id DESC);
DROP INDEX accounts.audit_of_seller;

CREATE FUNCTION accounts.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit are never changed or deleted';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts.audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.audit_is_append_only();

SELECT accounts.guard_tenants();
GRANT SELECT, INSERT, DELETE ON accounts.invitations TO leadflow_accounts_tenant;
-- Who is removed from a team, or from a supplier, is forgotten, with what lets him in.
GRANT DELETE ON accounts.users TO leadflow_accounts_tenant;
ALTER TABLE accounts.sessions DROP CONSTRAINT sessions_user_id_fkey,
    ADD FOREIGN KEY (user_id) REFERENCES accounts.users ON DELETE CASCADE;
ALTER TABLE accounts.one_time_tokens DROP CONSTRAINT one_time_tokens_user_id_fkey,
    ADD FOREIGN KEY (user_id) REFERENCES accounts.users ON DELETE CASCADE;
DO $$
BEGIN
    IF to_regclass('accounts.google_identities') IS NOT NULL THEN
        ALTER TABLE accounts.google_identities DROP CONSTRAINT google_identities_user_id_fkey,
            ADD FOREIGN KEY (user_id) REFERENCES accounts.users ON DELETE CASCADE;
    END IF;
END $$;
