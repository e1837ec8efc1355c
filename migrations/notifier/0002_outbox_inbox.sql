-- One row holds all events of one transaction; it is deleted when they are published.
CREATE TABLE notifier.outbox (
    id       uuid PRIMARY KEY,
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    ordered  boolean NOT NULL,
    batch    bytea NOT NULL,
    retry_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_left_behind ON notifier.outbox (retry_at) WHERE NOT ordered;
CREATE INDEX outbox_ordered ON notifier.outbox (seq) WHERE ordered;

-- Events that have had their effect, so that a repeat has none.
CREATE TABLE notifier.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_seen_at ON notifier.inbox (seen_at);
