-- Leads from before the trigger. Nobody waits for this, however long it takes.
INSERT INTO distribution.lead_ids (lead_id, received_at, seller_id)
SELECT lead_id, received_at, seller_id FROM distribution.leads ORDER BY lead_id
ON CONFLICT (lead_id) DO NOTHING;
ANALYZE distribution.lead_ids;
