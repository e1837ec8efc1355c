-- The direct path has this long before a sweeper takes a row for left behind. A default, because the events
-- of holds are written in the holds' own statement.
ALTER TABLE billing.outbox ALTER COLUMN retry_at SET DEFAULT now() + interval '10 seconds';
