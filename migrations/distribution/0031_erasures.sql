-- Wishes that one person's data be removed. Of the person only keyed hashes are kept, by which a lead of his is recognised and a repeat of the wish.
CREATE TABLE distribution.erasures (
    -- Derived from the tenant and the hashes.
    erasure_id      uuid PRIMARY KEY,
    seller_id       uuid NOT NULL,
    -- HMAC-SHA256 of the normalised address and number; NULL: not named.
    email_hash      bytea,
    phone_hash      bytea,
    first_asked_at  timestamptz NOT NULL,
    asked_at        timestamptz NOT NULL,
    -- NULL: an operator.
    asked_by        uuid,
    times_asked     integer NOT NULL DEFAULT 1,
    -- The last message in LEADS when it was asked for: what was posted before is decided when distribution has passed it.
    stream_sequence bigint NOT NULL,
    state           text NOT NULL CHECK (state IN ('waiting', 'searching', 'letters', 'done')),
    -- Leads up to this one were looked at.
    cursor_at       timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    cursor_id       uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    searched        bigint NOT NULL DEFAULT 0,
    fingerprints    integer NOT NULL DEFAULT 0,
    -- Numbers in DLQ.
    letters         bigint[] NOT NULL DEFAULT '{}',
    done_at         timestamptz,
    CHECK (email_hash IS NOT NULL OR phone_hash IS NOT NULL),
    CHECK ((state = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX erasures_open ON distribution.erasures (asked_at) WHERE state <> 'done';

-- The leads that were masked by one.
CREATE TABLE distribution.erased_leads (
    erasure_id uuid NOT NULL,
    lead_id    uuid NOT NULL,
    seller_id  uuid NOT NULL,
    masked_at  timestamptz NOT NULL,
    PRIMARY KEY (erasure_id, lead_id)
);

SELECT distribution.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON distribution.erasures TO leadflow_distribution_tenant;
GRANT SELECT ON distribution.erased_leads TO leadflow_distribution_tenant;
