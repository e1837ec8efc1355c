-- Sales of leads whose personal data is removed: what is kept of them here goes, too. A row stays for good: news of the sale that come late, or
-- again from the dead letters, bring nothing back.
CREATE TABLE notifier.masked_sales (
    lead_id       uuid NOT NULL,
    assignment_id uuid NOT NULL,
    seller_id     uuid NOT NULL,
    buyer_id      uuid NOT NULL,
    -- Whose wish it was; NULL: the lead's time was up.
    erasure_id    uuid,
    told_at       timestamptz NOT NULL,
    -- What was under way when this was written did not see it: it is waited for before anything is removed.
    written_by    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- When a worker may do it; NULL: done.
    due_at        timestamptz,
    masked_at     timestamptz,
    -- How many had something.
    deliveries    integer NOT NULL DEFAULT 0,
    messages      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (lead_id, assignment_id),
    CHECK (due_at IS NOT NULL OR masked_at IS NOT NULL)
);
CREATE INDEX masked_sales_due ON notifier.masked_sales (due_at) WHERE due_at IS NOT NULL;
SELECT notifier.guard_tenants();

COMMENT ON COLUMN notifier.deliveries.payload IS
    'The exact bytes that are signed and sent; empty: they had personal data, which was removed, and nothing is sent any more.';
