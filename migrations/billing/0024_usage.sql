-- Messages that were sent for sellers: what they cost, by month, and what was posted of it.

-- What a message costs the platform, in its currency. Written by the service when a setting has changed: what was sent
-- before keeps its price.
CREATE TABLE billing.usage_costs (
    kind  text NOT NULL CHECK (kind IN ('email', 'sms', 'webhook')),
    since timestamptz NOT NULL,
    cost  numeric(12, 6) NOT NULL CHECK (cost >= 0),
    PRIMARY KEY (kind, since)
);

-- What sellers pay on top, in percent, where an administrator has chosen it. Those without a row pay the usual.
CREATE TABLE billing.usage_terms (
    seller_id      uuid NOT NULL,
    since          timestamptz NOT NULL,
    -- NULL: the usual.
    email_markup   numeric(7, 4) CHECK (email_markup BETWEEN 0 AND 999),
    sms_markup     numeric(7, 4) CHECK (sms_markup BETWEEN 0 AND 999),
    webhook_markup numeric(7, 4) CHECK (webhook_markup BETWEEN 0 AND 999),
    PRIMARY KEY (seller_id, since)
);

-- Counted messages, a row for each price: one seller's buyer, kind and month.
CREATE TABLE billing.usage_months (
    seller_id      uuid NOT NULL,
    -- The first, on the tenant's calendar when it was counted.
    month          date NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('email', 'sms', 'webhook')),
    -- All zeros: not for a buyer.
    buyer_id       uuid NOT NULL,
    cost           numeric(12, 6) NOT NULL CHECK (cost >= 0),
    markup_percent numeric(7, 4) NOT NULL CHECK (markup_percent >= 0),
    messages       bigint NOT NULL CHECK (messages > 0),
    -- What is paid for: segments of an SMS, else messages.
    units          bigint NOT NULL CHECK (units > 0),
    -- Of these, in the ledger. Records that come late raise `units` of a month that was posted.
    posted_units   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (seller_id, month, kind, buyer_id, cost, markup_percent),
    CONSTRAINT posted_is_counted CHECK (posted_units BETWEEN 0 AND units)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX usage_months_by_month ON billing.usage_months (month, seller_id);

-- Messages that were counted, by a hash of their id; for as long as a repeat is not refused for its age.
CREATE TABLE billing.usage_seen (
    message uuid PRIMARY KEY,
    -- When it was counted.
    day     date NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);
CREATE INDEX usage_seen_by_day ON billing.usage_seen (day);

-- What was posted: once for a seller and month.
CREATE TABLE billing.usage_postings (
    seller_id  uuid NOT NULL,
    month      date NOT NULL,
    posting_id uuid NOT NULL UNIQUE,
    units      bigint NOT NULL CHECK (units > 0),
    -- Before and after rounding.
    exact      numeric NOT NULL,
    amount     numeric(14, 2) NOT NULL CHECK (amount > 0),
    at         timestamptz NOT NULL,
    PRIMARY KEY (seller_id, month)
);
CREATE TRIGGER usage_postings_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.usage_postings
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_rewriting();

SELECT billing.guard_tenants();
GRANT SELECT ON billing.usage_months, billing.usage_postings TO leadflow_billing_tenant;
GRANT SELECT, INSERT, UPDATE ON billing.usage_terms TO leadflow_billing_tenant;
