-- What sellers set up, and what is known of sellers and buyers. Written rarely, so keys are checked by the database.
--
-- Order of locks, everywhere: sellers, buyers and categories first; then rows of campaign_routing in id order; then rows
-- of campaign_retry in id order. Whoever changes something that a decision reads raises campaign_routing.version of
-- the campaigns concerned in the same transaction; replicas keep the configuration in memory until that number moves.

CREATE SCHEMA IF NOT EXISTS distribution;

-- From seller.changed.
CREATE TABLE distribution.sellers (
    seller_id    uuid PRIMARY KEY,
    version      bigint NOT NULL,
    company_name text NOT NULL,
    status       text NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    time_zone    text NOT NULL,
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- The day, on the tenant's calendar, for which unsold leads were last looked at again.
    retry_day    date
);

-- From buyer.changed. No key to sellers: the two arrive in any order.
CREATE TABLE distribution.buyers (
    buyer_id     uuid PRIMARY KEY,
    seller_id    uuid NOT NULL,
    version      bigint NOT NULL,
    company_name text NOT NULL,
    status       text NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    priority     smallint NOT NULL CHECK (priority BETWEEN 1 AND 10)
);

CREATE TABLE distribution.categories (
    category_id uuid PRIMARY KEY,
    seller_id   uuid NOT NULL REFERENCES distribution.sellers,
    version     bigint NOT NULL,
    name        text NOT NULL,
    status      text NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    -- A list of {name, type, required, description, options}.
    fields      jsonb NOT NULL
);
-- An archived category gives its name back.
CREATE UNIQUE INDEX categories_name ON distribution.categories (seller_id, lower(name)) WHERE status <> 'archived';

CREATE TABLE distribution.campaigns (
    campaign_id           uuid PRIMARY KEY,
    seller_id             uuid NOT NULL REFERENCES distribution.sellers,
    category_id           uuid NOT NULL REFERENCES distribution.categories,
    version               bigint NOT NULL,
    name                  text NOT NULL,
    description           text NOT NULL,
    status                text NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    logic                 text NOT NULL CHECK (logic IN ('round_robin', 'weighted_round_robin', 'waterfall', 'broadcast')),
    price                 numeric(14, 2) NOT NULL CHECK (price >= 0),
    currency              text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    allow_state_selection boolean NOT NULL,
    duplicate_window_days integer NOT NULL CHECK (duplicate_window_days >= 0),
    duplicate_fields      text[] NOT NULL,
    duplicate_match       text NOT NULL CHECK (duplicate_match IN ('any', 'all')),
    lead_ttl_hours        integer NOT NULL CHECK (lead_ttl_hours > 0),
    created_at            timestamptz NOT NULL
);
CREATE INDEX campaigns_of_category ON distribution.campaigns (category_id);
CREATE INDEX campaigns_of_seller ON distribution.campaigns (seller_id);

-- Never deleted: what was sold through one refers to it.
CREATE TABLE distribution.subscriptions (
    subscription_id           uuid PRIMARY KEY,
    campaign_id               uuid NOT NULL REFERENCES distribution.campaigns,
    buyer_id                  uuid NOT NULL REFERENCES distribution.buyers,
    seller_id                 uuid NOT NULL,
    version                   bigint NOT NULL,
    status                    text NOT NULL CHECK (status IN ('active', 'paused', 'archived')),
    -- NULL: no cap; 0: nothing.
    daily_cap                 integer CHECK (daily_cap >= 0),
    states                    text[] NOT NULL,
    waterfall_priority        integer CHECK (waterfall_priority > 0),
    seller_waterfall_priority integer CHECK (seller_waterfall_priority > 0),
    created_at                timestamptz NOT NULL
);
-- A second subscription would be a second turn in the rotation.
CREATE UNIQUE INDEX subscriptions_one_a_buyer
    ON distribution.subscriptions (campaign_id, buyer_id) WHERE status <> 'archived';
CREATE INDEX subscriptions_of_buyer ON distribution.subscriptions (buyer_id);
