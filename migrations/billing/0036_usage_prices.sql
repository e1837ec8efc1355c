-- What messages cost, in each currency that has a price; and messages that have none yet.

-- As usage_costs, which was in dollars only. That is not used any more and goes with a later release.
CREATE TABLE billing.usage_prices (
    kind     text NOT NULL CHECK (kind IN ('email', 'sms', 'webhook')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    since    timestamptz NOT NULL,
    -- Of a unit; NULL: from then on there is no price.
    cost     numeric(12, 6) CHECK (cost >= 0),
    PRIMARY KEY (kind, currency, since)
);
INSERT INTO billing.usage_prices SELECT kind, 'USD', since, cost FROM billing.usage_costs;

-- Counted messages whose tenant's currency has no price, or is not known yet. When it has one, they go to usage_months.
CREATE TABLE billing.usage_unpriced (
    seller_id      uuid NOT NULL,
    month          date NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('email', 'sms', 'webhook')),
    -- All zeros: not for a buyer.
    buyer_id       uuid NOT NULL,
    markup_percent numeric(7, 4) NOT NULL CHECK (markup_percent >= 0),
    messages       bigint NOT NULL CHECK (messages > 0),
    units          bigint NOT NULL CHECK (units > 0),
    PRIMARY KEY (seller_id, month, kind, buyer_id, markup_percent)
);

-- Those of other currencies were counted by dollars, and never posted.
WITH wrong AS (
    DELETE FROM billing.usage_months m USING billing.sellers s
    WHERE s.seller_id = m.seller_id AND s.currency <> 'USD' AND m.posted_units = 0
    RETURNING m.*)
INSERT INTO billing.usage_unpriced
SELECT seller_id, month, kind, buyer_id, markup_percent, sum(messages), sum(units) FROM wrong GROUP BY 1, 2, 3, 4, 5;

SELECT billing.guard_tenants();
GRANT SELECT ON billing.usage_unpriced TO leadflow_billing_tenant;
