-- A buyer may have several endpoints, each for some events.
ALTER TABLE notifier.endpoints DROP CONSTRAINT endpoints_seller_id_buyer_id_key;
ALTER TABLE notifier.endpoints
    -- What its owner calls it.
    ADD COLUMN name        text NOT NULL DEFAULT '',
    ADD COLUMN events      text[] NOT NULL DEFAULT '{lead.assigned}',
    -- Requests at once, at most; 0: the service's limit.
    ADD COLUMN concurrency integer NOT NULL DEFAULT 0 CHECK (concurrency >= 0),
    -- Nothing is sent to it any more, and its secrets are gone; its deliveries are kept.
    ADD COLUMN deleted_at  timestamptz;
CREATE INDEX endpoints_of_buyer ON notifier.endpoints (seller_id, buyer_id, created_at, endpoint_id) WHERE deleted_at IS NULL;

-- What it tells of.
ALTER TABLE notifier.deliveries ADD COLUMN event text NOT NULL DEFAULT 'lead.assigned';
