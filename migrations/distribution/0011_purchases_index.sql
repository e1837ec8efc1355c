-- Row security asks for the tenant of every sale that it shows: without it in the index each one was read from its table, and a
-- long list sorted, for one page.
DROP INDEX distribution.assignments_of_buyer;
CREATE INDEX assignments_of_buyer ON distribution.assignments (buyer_id, assigned_at, assignment_id)
    INCLUDE (lead_id, campaign_id, price, seller_id);
DROP INDEX distribution.returns_by_sale;
CREATE INDEX returns_by_sale ON distribution.returns (buyer_id, assigned_at) INCLUDE (campaign_id, price, state, seller_id);
