-- Attempts to store a card, so that an account cannot be used to find out which of many card numbers are good. Declined top-ups, which
-- count likewise, are in billing.payments.
CREATE TABLE billing.card_attempts (
    attempt_id uuid PRIMARY KEY,
    seller_id  uuid NOT NULL,
    buyer_id   uuid NOT NULL,
    at         timestamptz NOT NULL,
    -- The card was refused.
    declined   boolean NOT NULL DEFAULT false
);
CREATE INDEX card_attempts_of_buyer ON billing.card_attempts (buyer_id, at);
CREATE INDEX card_attempts_old ON billing.card_attempts (at);
CREATE INDEX payments_that_may_be_declined ON billing.payments (buyer_id, created_at)
    WHERE kind = 'top_up' AND state IN ('declined', 'pending');

SELECT billing.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON billing.card_attempts TO leadflow_billing_tenant;
