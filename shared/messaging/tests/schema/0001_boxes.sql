CREATE SCHEMA IF NOT EXISTS test_service;
CREATE TABLE test_service.outbox (
    id       uuid PRIMARY KEY,
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    ordered  boolean NOT NULL,
    batch    bytea NOT NULL,
    retry_at timestamptz NOT NULL
);
CREATE INDEX outbox_left_behind ON test_service.outbox (retry_at) WHERE NOT ordered;
CREATE INDEX outbox_ordered ON test_service.outbox (seq) WHERE ordered;
CREATE TABLE test_service.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE TABLE test_service.effects (event_id uuid NOT NULL);
