-- What becomes of a sale whose lead the buyer's own system does not take.
ALTER TABLE distribution.campaigns
    ADD COLUMN refusals_credited  boolean NOT NULL DEFAULT false,
    -- The lead is for sale again.
    ADD COLUMN refusals_sold_on   boolean NOT NULL DEFAULT false,
    -- Percent of what a buyer bought in a month of the tenant's calendar.
    ADD COLUMN refusals_max_share integer NOT NULL DEFAULT 0 CHECK (refusals_max_share BETWEEN 0 AND 100),
    ADD CONSTRAINT sold_on_when_credited CHECK (refusals_credited OR NOT refusals_sold_on);

-- Nobody asked: the buyer's system refused the lead when it was delivered. Not of his share of returns, but of his share of refusals.
ALTER TABLE distribution.returns ADD COLUMN by_receiver boolean NOT NULL DEFAULT false;

GRANT UPDATE (outcome, reason, decided_at, expires_at) ON distribution.leads TO leadflow_distribution_tenant;
