-- Comparing our payments with the provider's books: on which days that was done, and what was found.
CREATE TABLE billing.reconciliations (
    -- In UTC.
    day         date PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    -- NULL while somebody is at it, or died.
    finished_at timestamptz,
    ours        bigint,
    theirs      bigint,
    differences bigint,
    settled     bigint
);
CREATE INDEX payments_settled ON billing.payments (settled_at, payment_id) WHERE state = 'succeeded';
CREATE INDEX refunds_made ON billing.refunds (created_at);
