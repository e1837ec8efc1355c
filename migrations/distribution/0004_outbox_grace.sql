-- The direct path has this long before a sweeper takes a row for left behind. A default, because a batch's
-- events are written in the batch's own statement.
ALTER TABLE distribution.outbox ALTER COLUMN retry_at SET DEFAULT now() + interval '10 seconds';
