-- How a buyer is reached, as accounts says, beside whose buyer it is.
ALTER TABLE notifier.buyers
    ADD COLUMN company_name    text NOT NULL DEFAULT '',
    ADD COLUMN contact_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN contact_name    text NOT NULL DEFAULT '',
    -- Empty: none.
    ADD COLUMN email           text NOT NULL DEFAULT '',
    ADD COLUMN email_verified  boolean NOT NULL DEFAULT false,
    -- E.164; empty: none.
    ADD COLUMN phone           text NOT NULL DEFAULT '';

-- Whose name messages are sent in, and whose calendar counts where a buyer names none.
CREATE TABLE notifier.sellers (
    seller_id    uuid PRIMARY KEY,
    version      bigint NOT NULL,
    company_name text NOT NULL,
    time_zone    text NOT NULL
);

-- What a buyer wants to be told, and how. Without a row: as the columns' defaults say.
CREATE TABLE notifier.preferences (
    buyer_id             uuid PRIMARY KEY,
    seller_id            uuid NOT NULL,
    email_on_lead        boolean NOT NULL DEFAULT true,
    -- Only ever true by the buyer's own choice.
    sms_on_lead          boolean NOT NULL DEFAULT false,
    email_on_low_balance boolean NOT NULL DEFAULT true,
    sms_on_low_balance   boolean NOT NULL DEFAULT false,
    email_on_return      boolean NOT NULL DEFAULT true,
    daily_summary        boolean NOT NULL DEFAULT false,
    -- Since when he agrees to text messages.
    sms_agreed_at        timestamptz,
    -- Minutes after midnight; equal: no quiet hours.
    quiet_from           integer NOT NULL DEFAULT 0 CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_until          integer NOT NULL DEFAULT 0 CHECK (quiet_until BETWEEN 0 AND 1439),
    -- IANA name; empty: the seller's.
    time_zone            text NOT NULL DEFAULT '',
    version              bigint NOT NULL DEFAULT 1,
    updated_at           timestamptz NOT NULL
);

-- E-mails and text messages, one row each from the moment there is something to tell: a queue with leases, as deliveries.
CREATE TABLE notifier.messages (
    -- Derived from what it tells of, the channel and whom: told twice it is one row.
    message_id    uuid PRIMARY KEY,
    -- None: an administrator's.
    seller_id     uuid,
    -- None: to somebody who is no buyer.
    buyer_id      uuid,
    channel       text NOT NULL CHECK (channel IN ('EMAIL', 'SMS')),
    kind          text NOT NULL,
    -- What it is about; none: no lead.
    lead_id       uuid,
    -- What is to be said, until it has ended.
    contents      bytea,
    -- Address or number, from the first attempt on.
    recipient     text NOT NULL DEFAULT '',
    -- Of no use after this.
    expires_at    timestamptz NOT NULL,
    -- SENT: its provider has it. DELIVERED and BOUNCED: its provider told so later. SUPPRESSED: not sent, because the
    -- address is dead, nobody wants it, or nobody is there.
    status        text NOT NULL
        CHECK (status IN ('WAITING', 'SENT', 'DELIVERED', 'BOUNCED', 'REFUSED', 'EXPIRED', 'SUPPRESSED')),
    attempts_made integer NOT NULL DEFAULT 0,
    -- When a worker may take it: the next attempt, or the end of the lease of whoever has it now.
    due_at        timestamptz,
    -- Who has it now: a result is only recorded by the holder of the lease.
    lease         uuid,
    -- What its provider calls it.
    provider_id   text,
    -- What is paid for: segments of a text message, else 1.
    units         integer NOT NULL DEFAULT 1,
    -- Why it did not arrive, in words.
    error         text NOT NULL DEFAULT '',
    traceparent   text,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((status = 'WAITING') = (due_at IS NOT NULL)),
    CHECK ((status = 'WAITING') = (contents IS NOT NULL)),
    CHECK ((status = 'WAITING') = (ended_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- What is new goes before what has failed.
CREATE INDEX messages_due ON notifier.messages (channel, (attempts_made > 0), due_at) WHERE status = 'WAITING';
CREATE INDEX messages_of_buyer ON notifier.messages (seller_id, buyer_id, created_at DESC, message_id DESC);
CREATE INDEX messages_by_provider_id ON notifier.messages (channel, provider_id) WHERE provider_id IS NOT NULL;

-- Every request that was made, or tried.
CREATE TABLE notifier.message_attempts (
    message_id  uuid NOT NULL,
    number      integer NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    -- Of the provider's answer; 0: none.
    status_code integer NOT NULL,
    error       text NOT NULL,
    PRIMARY KEY (message_id, number)
);

-- Addresses and numbers that nothing is sent to any more: they do not exist, complained, or asked for it. Whoever else uses
-- the same one is not sent to either: it is the provider's good name that suffers.
CREATE TABLE notifier.suppressions (
    channel    text NOT NULL CHECK (channel IN ('EMAIL', 'SMS')),
    -- In small letters; a number in E.164.
    recipient  text NOT NULL,
    -- BOUNCED, COMPLAINED, STOPPED
    reason     text NOT NULL,
    -- In words.
    detail     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (channel, recipient)
);

-- What providers called back with, so that a repeat changes nothing.
CREATE TABLE notifier.callbacks (
    source   text NOT NULL,
    event_id text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (source, event_id)
);
CREATE INDEX callbacks_at ON notifier.callbacks (at);

SELECT notifier.guard_tenants();
ALTER TABLE notifier.message_attempts ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON notifier.message_attempts TO leadflow_notifier USING (true);
CREATE POLICY tenant ON notifier.message_attempts TO leadflow_notifier_tenant
    USING (EXISTS (SELECT FROM notifier.messages m WHERE m.message_id = message_attempts.message_id));
GRANT SELECT ON notifier.messages, notifier.message_attempts, notifier.sellers TO leadflow_notifier_tenant;
GRANT SELECT, INSERT, UPDATE ON notifier.preferences TO leadflow_notifier_tenant;
