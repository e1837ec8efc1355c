-- Decisions are made on what was seen, without a lock, and saved only if the campaign's row is still as it was seen: configuration (version),
-- rotation (next_seq) and the number of leads. Whoever must not be overtaken by a decision that began before, but changes none of
-- these, raises this number under the row's lock: a look at unsold leads, and the answer that an assignment does not exist.
ALTER TABLE distribution.campaign_routing ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
