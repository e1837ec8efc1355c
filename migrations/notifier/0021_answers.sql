-- What a receiver answers decides whether it took a lead, by its endpoint's rules.

-- Rules: see `domain/src/answer.rs`. NULL: none.
ALTER TABLE notifier.endpoints ADD COLUMN answer_rules jsonb;

-- REFUSED: the receiver answered that it does not take it.
ALTER TABLE notifier.deliveries DROP CONSTRAINT deliveries_status_check;
ALTER TABLE notifier.deliveries ADD CONSTRAINT deliveries_status_check
    CHECK (status IN ('PENDING', 'DELIVERED', 'REFUSED', 'GAVE_UP')) NOT VALID;

-- ACCEPTED, DUPLICATE, REJECTED or RETRY, as the rules read the answer; empty where they say nothing.
ALTER TABLE notifier.attempts ADD COLUMN meaning text NOT NULL DEFAULT '';
