-- What is due is taken endpoint by endpoint, so that one that fails, however much waits for it, keeps nobody from his turn.
-- The release before this one finds what is due with this index, too: everything that waits is in it.
CREATE INDEX deliveries_waiting ON notifier.deliveries (endpoint_id, due_at) WHERE status = 'PENDING';
DROP INDEX notifier.deliveries_due;
