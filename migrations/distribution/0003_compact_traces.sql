-- Traces are stored without what other tables know: it is written for every lead.
COMMENT ON COLUMN distribution.leads.trace IS
    'leadflow.common.v1.DecisionTrace without the ids of candidates; field 100 has their subscriptions, 16 bytes each.';
