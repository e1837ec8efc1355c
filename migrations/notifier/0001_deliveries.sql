-- Which tenant a buyer belongs to, as the directory says.
CREATE TABLE notifier.buyers (
    buyer_id  uuid PRIMARY KEY,
    seller_id uuid NOT NULL
);

-- Where a buyer's leads go.
CREATE TABLE notifier.endpoints (
    endpoint_id     uuid PRIMARY KEY,
    seller_id       uuid NOT NULL,
    buyer_id        uuid NOT NULL,
    url             text NOT NULL,
    -- The signing secret: nonce and AES-256-GCM ciphertext, bound to the endpoint's id.
    secret          bytea NOT NULL,
    -- Fingerprint of the key that it is encrypted with.
    secret_key_id   text NOT NULL,
    enabled         boolean NOT NULL,
    -- Why the system switched it off; empty otherwise.
    disabled_reason text NOT NULL,
    -- The first failure since the last success.
    failing_since   timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    UNIQUE (seller_id, buyer_id)
);

-- One message to one endpoint. Rows are only ever added and ended, and endpoints never deleted, so
-- no foreign key is checked on this path; the service writes both in one transaction's view.
CREATE TABLE notifier.deliveries (
    -- Derived from assignment and endpoint; also the webhook-id that receivers see.
    delivery_id   uuid PRIMARY KEY,
    seller_id     uuid NOT NULL,
    buyer_id      uuid NOT NULL,
    lead_id       uuid NOT NULL,
    assignment_id uuid NOT NULL,
    endpoint_id   uuid NOT NULL,
    -- The exact bytes that are signed and sent.
    payload       bytea NOT NULL,
    traceparent   text,
    status        text NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'GAVE_UP')),
    attempts_made integer NOT NULL DEFAULT 0,
    -- When a worker may take it: the next attempt, or the end of the lease of whoever has it now.
    due_at        timestamptz,
    -- Who has it now: a result is only recorded by the holder of the lease.
    lease         uuid,
    -- Why it was given up.
    error         text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((status = 'PENDING') = (due_at IS NOT NULL)),
    CHECK ((status = 'PENDING') = (ended_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX deliveries_due ON notifier.deliveries (due_at) WHERE status = 'PENDING';
CREATE INDEX deliveries_of_buyer ON notifier.deliveries (seller_id, buyer_id, created_at DESC, delivery_id DESC);

-- Every request that was made, or tried.
CREATE TABLE notifier.attempts (
    delivery_id uuid NOT NULL,
    number      integer NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    -- 0: no answer.
    status_code integer NOT NULL,
    error       text NOT NULL,
    -- At most 16 KiB.
    response    text NOT NULL,
    PRIMARY KEY (delivery_id, number)
);
