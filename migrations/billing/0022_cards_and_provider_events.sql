-- Buyers' cards, as the provider of card payments keeps them, and what the provider tells us.

-- A buyer at the provider. Written before the provider is asked: what it is asked with may not differ the next time.
CREATE TABLE billing.customers (
    buyer_id    uuid PRIMARY KEY,
    seller_id   uuid NOT NULL,
    email       text NOT NULL,
    name        text NOT NULL,
    -- The provider's id; NULL until it has answered.
    provider_id text,
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX customers_provider ON billing.customers (provider_id) WHERE provider_id IS NOT NULL;

-- Every change of a buyer's cards happens under the lock of his row in customers.
CREATE TABLE billing.cards (
    card_id        uuid PRIMARY KEY,
    seller_id      uuid NOT NULL,
    buyer_id       uuid NOT NULL,
    -- The provider's id. A card is one buyer's, of one tenant.
    payment_method text NOT NULL,
    brand          text NOT NULL,
    last4          text NOT NULL,
    exp_month      smallint NOT NULL CHECK (exp_month BETWEEN 1 AND 12),
    exp_year       smallint NOT NULL CHECK (exp_year > 0),
    is_primary     boolean NOT NULL,
    created_at     timestamptz NOT NULL,
    -- Removed by the buyer, and the provider does not know yet. The row goes when it does.
    removed_at     timestamptz,
    CONSTRAINT none_removed_is_primary CHECK (NOT (is_primary AND removed_at IS NOT NULL))
);
CREATE UNIQUE INDEX cards_payment_method ON billing.cards (payment_method);
CREATE UNIQUE INDEX cards_one_primary ON billing.cards (buyer_id) WHERE is_primary;
CREATE INDEX cards_of_buyer ON billing.cards (buyer_id, created_at DESC, card_id DESC);
CREATE INDEX cards_to_detach ON billing.cards (removed_at) WHERE removed_at IS NOT NULL;

-- Webhooks of the provider, as they came. They belong to no tenant: which one is found out when they are worked off.
CREATE TABLE billing.provider_events (
    event_id     text PRIMARY KEY,
    type         text NOT NULL,
    -- The provider's time of it.
    created      timestamptz NOT NULL,
    body         text NOT NULL,
    received_at  timestamptz NOT NULL,
    -- ignored: of a kind, or of an object, that is nothing to us.
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'processed', 'ignored', 'given_up')),
    processed_at timestamptz,
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Not before this; while somebody is at it, not before he must have died.
    next_at      timestamptz NOT NULL,
    -- Why the last attempt failed, or what made it of no interest.
    error        text NOT NULL DEFAULT '',
    CONSTRAINT done_when_not_waiting CHECK ((state IN ('processed', 'ignored')) = (processed_at IS NOT NULL))
);
CREATE INDEX provider_events_due ON billing.provider_events (next_at) WHERE state = 'waiting';
CREATE INDEX provider_events_old ON billing.provider_events (processed_at) WHERE processed_at IS NOT NULL;
CREATE INDEX provider_events_given_up ON billing.provider_events (received_at) WHERE state = 'given_up';

SELECT billing.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON billing.customers TO leadflow_billing_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON billing.cards TO leadflow_billing_tenant;
