-- People who sign in, how they do, and who changed what.

ALTER TABLE accounts.buyers ADD CONSTRAINT buyers_with_seller UNIQUE (buyer_id, seller_id);

CREATE TABLE accounts.users (
    user_id           uuid PRIMARY KEY,
    role              text NOT NULL CHECK (role IN ('SELLER', 'BUYER', 'SUPPLIER', 'ADMIN')),
    member            text NOT NULL CHECK (member IN ('OWNER', 'MANAGER', 'VIEWER')),
    seller_id         uuid REFERENCES accounts.sellers,
    buyer_id          uuid,
    supplier_id       uuid,
    email             text NOT NULL,
    -- What makes two addresses the same: the address in lower case.
    email_key         text NOT NULL UNIQUE CHECK (email_key = lower(email)),
    name              text NOT NULL,
    phone             text CHECK (phone ~ '^\+[1-9][0-9]{7,14}$'),
    -- argon2id, in the PHC string format.
    password_hash     text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    email_verified_at timestamptz,
    created_with      bytea NOT NULL CHECK (octet_length(created_with) = 32),
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK ((role = 'ADMIN') = (seller_id IS NULL)),
    CHECK ((role = 'BUYER') = (buyer_id IS NOT NULL)),
    CHECK ((role = 'SUPPLIER') = (supplier_id IS NOT NULL)),
    CHECK (role = 'SELLER' OR member = 'OWNER'),
    -- Nobody belongs to a buyer or supplier of another tenant.
    FOREIGN KEY (buyer_id, seller_id) REFERENCES accounts.buyers (buyer_id, seller_id),
    FOREIGN KEY (supplier_id, seller_id) REFERENCES accounts.suppliers (supplier_id, seller_id)
);
CREATE INDEX users_of_seller ON accounts.users (seller_id, user_id);

-- Users with what their records are called, and whether all they belong to is in use.
CREATE VIEW accounts.people AS
SELECT u.user_id, u.role, u.member, u.seller_id, u.buyer_id, u.supplier_id, u.email, u.email_key, u.name, u.phone,
       u.email_verified_at IS NOT NULL AS email_verified, u.created_at,
       coalesce(b.company_name, p.name, s.company_name, '') AS company_name,
       coalesce(s.status, 'ACTIVE') = 'ACTIVE' AND coalesce(b.status, 'ACTIVE') = 'ACTIVE'
         AND coalesce(p.status, 'ACTIVE') = 'ACTIVE' AS may_sign_in
FROM accounts.users u
LEFT JOIN accounts.sellers s ON s.seller_id = u.seller_id
LEFT JOIN accounts.buyers b ON b.buyer_id = u.buyer_id
LEFT JOIN accounts.suppliers p ON p.supplier_id = u.supplier_id;

-- A session's token is shown once and not kept. A row is deleted when the session ends.
CREATE TABLE accounts.sessions (
    session_id   uuid PRIMARY KEY,
    sha256       bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    user_id      uuid NOT NULL REFERENCES accounts.users,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    address      text NOT NULL,
    user_agent   text NOT NULL
);
CREATE INDEX sessions_of_user ON accounts.sessions (user_id, created_at);
CREATE INDEX sessions_by_end ON accounts.sessions (expires_at);

-- Codes stay after they were replaced, so that none is given out twice.
CREATE TABLE accounts.invite_codes (
    code        text PRIMARY KEY CHECK (code ~ '^[0-9A-HJKMNP-TV-Z]{10}$'),
    seller_id   uuid NOT NULL REFERENCES accounts.sellers,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    replaced_at timestamptz
);
CREATE UNIQUE INDEX invite_code_now ON accounts.invite_codes (seller_id) WHERE replaced_at IS NULL;

-- Tokens that were mailed. Each works once.
CREATE TABLE accounts.one_time_tokens (
    sha256     bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    kind       text NOT NULL CHECK (kind IN ('RESET_PASSWORD', 'VERIFY_EMAIL')),
    user_id    uuid NOT NULL REFERENCES accounts.users,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_tokens_of_user ON accounts.one_time_tokens (user_id, kind);
CREATE INDEX one_time_tokens_by_end ON accounts.one_time_tokens (expires_at);

-- When every permit of somebody will be back. May be lost in a crash of the server: then all are back at once.
-- No index on a column that every request changes.
CREATE UNLOGGED TABLE accounts.allowances (
    kind    text NOT NULL,
    subject text NOT NULL,
    full_at timestamptz NOT NULL,
    -- Whether the last request passed; read back by the statement that wrote it.
    allowed boolean NOT NULL,
    PRIMARY KEY (kind, subject)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- Who changed what. Written in the transaction of the change; never changed or deleted.
CREATE TABLE accounts.audit_entries (
    audit_id      uuid PRIMARY KEY,
    -- NULL for what belongs to no tenant.
    seller_id     uuid,
    at            timestamptz NOT NULL,
    -- NULL when nobody was signed in, or the caller is a service.
    actor_user_id uuid,
    action        text NOT NULL,
    subject_id    text NOT NULL,
    before        jsonb,
    after         jsonb
);
CREATE INDEX audit_of_seller ON accounts.audit_entries (seller_id, audit_id DESC);
