-- What lists and sums are read by: one index for leads and one for sales, the least that answers every question without
-- reading the rows themselves. Both grow at one end for each tenant or buyer, so a page that is written is mostly the
-- one that was written last; the primary keys, whose values come in no order, cost a lead more.

-- A tenant's leads, the newest last, with everything that they are filtered and summed by.
CREATE INDEX leads_of_seller ON distribution.leads (seller_id, received_at, lead_id)
    INCLUDE (supplier_id, campaign_id, category_id, outcome, test, buyers_assigned, price);
-- A buyer's purchases, the newest last. A tenant's sales are those of its buyers.
CREATE INDEX assignments_of_buyer ON distribution.assignments (buyer_id, assigned_at, assignment_id)
    INCLUDE (lead_id, campaign_id, price);
CREATE INDEX buyers_of_seller ON distribution.buyers (seller_id);

-- When a buyer first looked at a purchase. A table of its own: selling writes nothing of it, and a look writes no sale.
CREATE TABLE distribution.assignment_views (
    assignment_id uuid PRIMARY KEY,
    viewed_at     timestamptz NOT NULL
);
