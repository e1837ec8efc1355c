-- Leads and what moves with every one of them. No foreign keys here: each would lock and read a row of its parent for
-- every lead (and keep the parent's page busy), while decisions already hold the campaign's routing row, the ids
-- come from rows read under that lock, and nothing here is ever deleted.

-- One row a campaign: the lock under which its leads are decided.
CREATE TABLE distribution.campaign_routing (
    campaign_id uuid PRIMARY KEY,
    seller_id   uuid NOT NULL,
    -- Moves with every change of configuration that a decision reads.
    version     bigint NOT NULL DEFAULT 1,
    -- The number the next lead sold gets; moves with every change of the rotation.
    next_seq    bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- A subscription's place in the rotation and what it got today. Absent: never served.
CREATE TABLE distribution.subscription_rotation (
    campaign_id     uuid NOT NULL,
    subscription_id uuid NOT NULL,
    last_served     bigint NOT NULL,
    -- Leads owed, in 5342931457063200ths of one.
    wrr_current     bigint NOT NULL,
    -- On the tenant's calendar.
    cap_day         date,
    sold_today      integer NOT NULL CHECK (sold_today >= 0),
    PRIMARY KEY (campaign_id, subscription_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

CREATE TABLE distribution.leads (
    lead_id         uuid PRIMARY KEY,
    seller_id       uuid NOT NULL,
    supplier_id     uuid NOT NULL,
    campaign_id     uuid NOT NULL,
    category_id     uuid NOT NULL,
    received_at     timestamptz NOT NULL,
    decided_at      timestamptz NOT NULL,
    -- Only of leads for sale.
    expires_at      timestamptz,
    -- leadflow.common.v1.Outcome: 2 distributed, 3 unsold, 4 rejected, 5 expired, 7 test.
    outcome         smallint NOT NULL CHECK (outcome IN (2, 3, 4, 5, 7)),
    test            boolean NOT NULL,
    buyers_assigned integer NOT NULL,
    -- What all buyers pay together; NULL when nobody does.
    price           numeric(14, 2),
    currency        text,
    reason          text NOT NULL,
    state           text NOT NULL,
    quality         text NOT NULL,
    reference       text NOT NULL,
    body_hash       bytea NOT NULL,
    data            json NOT NULL,
    -- What the supplier sent where `data` differs; NULL when nothing does.
    raw             json,
    -- Names in data that the category does not define; NULL when none.
    unknown_fields  json,
    -- leadflow.common.v1.DecisionTrace, encoded.
    trace           bytea NOT NULL,
    traceparent     text
);
-- Leads that may sell later, the oldest first, and when that ends.
CREATE INDEX leads_for_sale ON distribution.leads (campaign_id, received_at, lead_id) WHERE outcome = 3 AND NOT test;
CREATE INDEX leads_to_expire ON distribution.leads (expires_at) WHERE outcome = 3 AND NOT test;

-- A lead sold to a buyer. The id is derived from lead and subscription and is also the id of the hold that pays.
CREATE TABLE distribution.assignments (
    assignment_id   uuid PRIMARY KEY,
    lead_id         uuid NOT NULL,
    buyer_id        uuid NOT NULL,
    subscription_id uuid NOT NULL,
    campaign_id     uuid NOT NULL,
    seller_id       uuid NOT NULL,
    price           numeric(14, 2) NOT NULL CHECK (price >= 0),
    currency        text NOT NULL,
    assigned_at     timestamptz NOT NULL,
    -- Nobody buys a lead twice, whatever the program thinks.
    UNIQUE (lead_id, buyer_id)
);

-- By what leads of a campaign are recognised as about the same person: hashes, no personal data.
CREATE TABLE distribution.lead_fingerprints (
    campaign_id uuid NOT NULL,
    fingerprint uuid NOT NULL,
    lead_id     uuid NOT NULL,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, fingerprint)
);

-- Campaigns whose unsold leads are to be looked at again, because something changed that may sell them. A pass goes
-- over them from the oldest; a change while it is under way (wanted moves past pass) makes another one.
CREATE TABLE distribution.campaign_retry (
    campaign_id uuid PRIMARY KEY,
    wanted      bigint NOT NULL DEFAULT 1,
    -- The value of wanted when the pass began; 0 before it does.
    pass        bigint NOT NULL DEFAULT 0,
    -- The last lead looked at.
    cursor_at   timestamptz,
    cursor_id   uuid,
    due_at      timestamptz NOT NULL
);
CREATE INDEX campaign_retry_due ON distribution.campaign_retry (due_at);

-- One row holds all events of one transaction; it is deleted when they are published.
CREATE TABLE distribution.outbox (
    id       uuid PRIMARY KEY,
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    ordered  boolean NOT NULL,
    batch    bytea NOT NULL,
    retry_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_left_behind ON distribution.outbox (retry_at) WHERE NOT ordered;
CREATE INDEX outbox_ordered ON distribution.outbox (seq) WHERE ordered;
