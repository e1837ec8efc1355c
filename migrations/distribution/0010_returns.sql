-- Sales that buyers ask to undo, and which of them a campaign takes back.

ALTER TABLE distribution.campaigns
    -- 0: none.
    ADD COLUMN returns_days          integer NOT NULL DEFAULT 0 CHECK (returns_days >= 0),
    -- Percent of what a buyer bought in a month of the tenant's calendar.
    ADD COLUMN returns_max_share     integer NOT NULL DEFAULT 0 CHECK (returns_max_share BETWEEN 0 AND 100),
    ADD COLUMN returns_reasons       text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN returns_auto_approve  boolean NOT NULL DEFAULT false,
    ADD COLUMN returns_out_of_caps   boolean NOT NULL DEFAULT false;

-- A sale that a buyer asked to undo. What it is added up and listed by is repeated here: returns are few, and sums must
-- not look for them among the sales.
CREATE TABLE distribution.returns (
    return_id     uuid PRIMARY KEY,
    seller_id     uuid NOT NULL,
    -- A sale is asked back once, whatever the program thinks.
    assignment_id uuid NOT NULL UNIQUE,
    lead_id       uuid NOT NULL,
    buyer_id      uuid NOT NULL,
    campaign_id   uuid NOT NULL,
    category_id   uuid NOT NULL,
    supplier_id   uuid NOT NULL,
    price         numeric(14, 2) NOT NULL CHECK (price >= 0),
    currency      text NOT NULL,
    -- Of the lead, and of the sale.
    received_at   timestamptz NOT NULL,
    assigned_at   timestamptz NOT NULL,
    state         text NOT NULL CHECK (state IN ('requested', 'approved', 'rejected')),
    reason        text NOT NULL,
    note          text NOT NULL,
    requested_at  timestamptz NOT NULL,
    -- Users; NULL for a service.
    requested_by  uuid,
    decided_at    timestamptz,
    decided_by    uuid,
    decision_note text NOT NULL DEFAULT '',
    -- The campaign's policy decided.
    automatic     boolean NOT NULL DEFAULT false,
    -- The sale counted for its day's cap and does no more.
    out_of_caps   boolean NOT NULL DEFAULT false,
    CONSTRAINT decided_when_not_requested CHECK ((state = 'requested') = (decided_at IS NULL)),
    CONSTRAINT only_an_undone_sale_leaves_its_cap CHECK (NOT out_of_caps OR state = 'approved')
);
CREATE INDEX returns_of_seller ON distribution.returns (seller_id, requested_at, return_id);
CREATE INDEX returns_of_buyer ON distribution.returns (buyer_id, requested_at, return_id);
-- For sums by sale and by lead, and for a month's share.
CREATE INDEX returns_by_sale ON distribution.returns (buyer_id, assigned_at) INCLUDE (campaign_id, price, state);
CREATE INDEX returns_by_sale_of_seller ON distribution.returns (seller_id, assigned_at) INCLUDE (price) WHERE state = 'approved';
CREATE INDEX returns_by_lead ON distribution.returns (seller_id, received_at)
    INCLUDE (supplier_id, campaign_id, category_id, price) WHERE state = 'approved';

-- What was asked and decided stays.
CREATE FUNCTION distribution.returns_are_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'returns are never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'requested' THEN
        RAISE EXCEPTION 'return % was decided', OLD.return_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON distribution.returns
    FOR EACH ROW EXECUTE FUNCTION distribution.returns_are_history();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON distribution.returns
    FOR EACH STATEMENT EXECUTE FUNCTION distribution.returns_are_history();

SELECT distribution.guard_tenants();
GRANT SELECT, INSERT ON distribution.returns TO leadflow_distribution_tenant;
GRANT UPDATE (state, decided_at, decided_by, decision_note, out_of_caps) ON distribution.returns TO leadflow_distribution_tenant;
GRANT UPDATE (sold_today) ON distribution.subscription_rotation TO leadflow_distribution_tenant;
