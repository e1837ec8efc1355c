-- Signing in by Google (OpenID Connect).

-- Somebody who has only ever come by Google has no password.
ALTER TABLE accounts.users ALTER COLUMN password_hash DROP NOT NULL;

-- Which user a Google account is. The subject is what never changes of it; its address may.
CREATE TABLE accounts.google_identities (
    issuer    text NOT NULL,
    subject   text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    -- One Google account a user.
    user_id   uuid NOT NULL UNIQUE REFERENCES accounts.users ON DELETE CASCADE,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Sign-ins that were begun. A row is deleted by the one who finishes it. What finishing needs besides (the PKCE
-- verifier, the nonce) is made of the browser's token, which is in its cookie and nowhere else.
CREATE TABLE accounts.google_attempts (
    state_sha256   bytea PRIMARY KEY CHECK (octet_length(state_sha256) = 32),
    browser_sha256 bytea NOT NULL CHECK (octet_length(browser_sha256) = 32),
    redirect_uri   text NOT NULL,
    return_to      text NOT NULL,
    -- What to register as if there is no account; NULL: not at all.
    role           text CHECK (role IN ('SELLER', 'BUYER')),
    company_name   text,
    invite_code    text,
    time_zone      text,
    expires_at     timestamptz NOT NULL,
    CHECK (role IS DISTINCT FROM 'SELLER' OR (company_name IS NOT NULL AND time_zone IS NOT NULL)),
    CHECK (role IS DISTINCT FROM 'BUYER' OR invite_code IS NOT NULL)
);
CREATE INDEX google_attempts_by_end ON accounts.google_attempts (expires_at);

-- Somebody new is bound in the transaction that registers him with his tenant; everything else about both tables is asked
-- before the tenant is known.
ALTER TABLE accounts.google_identities ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON accounts.google_identities TO leadflow_accounts USING (true);
CREATE POLICY tenant ON accounts.google_identities TO leadflow_accounts_tenant
    USING (EXISTS (SELECT FROM accounts.users o WHERE o.user_id = google_identities.user_id));
GRANT INSERT ON accounts.google_identities TO leadflow_accounts_tenant;
