-- Sellers (tenants), buyers, suppliers and API keys: the records that everything else refers to by id.

CREATE TABLE accounts.sellers (
    seller_id            uuid PRIMARY KEY,
    version              bigint NOT NULL CHECK (version >= 1),
    company_name         text NOT NULL,
    status               text NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'ARCHIVED')),
    time_zone            text NOT NULL,
    currency             text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    platform_fee_percent numeric(5, 2) NOT NULL CHECK (platform_fee_percent BETWEEN 0 AND 100),
    posts_per_second     integer NOT NULL CHECK (posts_per_second >= 0),
    -- SHA-256 of what it was created with: tells a repeated request from another one with the same id,
    -- also after the record has changed.
    created_with         bytea NOT NULL CHECK (octet_length(created_with) = 32),
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
);

CREATE TABLE accounts.buyers (
    buyer_id               uuid PRIMARY KEY,
    seller_id              uuid NOT NULL REFERENCES accounts.sellers,
    version                bigint NOT NULL CHECK (version >= 1),
    company_name           text NOT NULL,
    status                 text NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'ARCHIVED')),
    priority               smallint NOT NULL CHECK (priority BETWEEN 1 AND 10),
    -- In the seller's currency. NULL is no limit, 0 allows nothing.
    weekly_spending_limit  numeric(14, 2) CHECK (weekly_spending_limit >= 0),
    monthly_spending_limit numeric(14, 2) CHECK (monthly_spending_limit >= 0),
    created_with           bytea NOT NULL CHECK (octet_length(created_with) = 32),
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL
);
-- A seller's buyers, page by page.
CREATE INDEX buyers_of_seller ON accounts.buyers (seller_id, buyer_id);

CREATE TABLE accounts.suppliers (
    supplier_id      uuid PRIMARY KEY,
    seller_id        uuid NOT NULL REFERENCES accounts.sellers,
    version          bigint NOT NULL CHECK (version >= 1),
    name             text NOT NULL,
    status           text NOT NULL CHECK (status IN ('ACTIVE', 'PAUSED', 'ARCHIVED')),
    -- Ids of categories, which distribution owns; sorted, each once.
    category_ids     uuid[] NOT NULL,
    posts_per_second integer NOT NULL CHECK (posts_per_second >= 0),
    created_with     bytea NOT NULL CHECK (octet_length(created_with) = 32),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    UNIQUE (supplier_id, seller_id)
);
CREATE INDEX suppliers_of_seller ON accounts.suppliers (seller_id, supplier_id);

-- A key's text is shown once and not kept; rows stay after the key has ended, so that its id is never used again.
CREATE TABLE accounts.api_keys (
    key_id      uuid PRIMARY KEY,
    supplier_id uuid NOT NULL,
    seller_id   uuid NOT NULL,
    sha256      bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
    hint        text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    revoked_at  timestamptz,
    FOREIGN KEY (supplier_id, seller_id) REFERENCES accounts.suppliers (supplier_id, seller_id)
);
CREATE INDEX api_keys_of_supplier ON accounts.api_keys (supplier_id, created_at);

-- One row holds all events of one transaction; it is deleted when they are published. (No inbox: accounts consumes no events.)
CREATE TABLE accounts.outbox (
    id       uuid PRIMARY KEY,
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    ordered  boolean NOT NULL,
    batch    bytea NOT NULL,
    retry_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_left_behind ON accounts.outbox (retry_at) WHERE NOT ordered;
CREATE INDEX outbox_ordered ON accounts.outbox (seq) WHERE ordered;
