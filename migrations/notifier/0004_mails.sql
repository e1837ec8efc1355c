-- Mails to people who sign in, one row each from the moment they are asked for. No address and no text is kept: only, until
-- the mail has ended, what it was asked for with, sealed.
CREATE TABLE notifier.mails (
    -- The event that asked for it: told twice it is one row, and one Message-ID.
    event_id      uuid PRIMARY KEY,
    -- What the contents are sealed with.
    mail_id       uuid NOT NULL,
    -- None: an administrator's.
    seller_id     uuid,
    -- None: of somebody who is invited.
    user_id       uuid,
    kind          text NOT NULL,
    -- Address, name and token, as they came: nonce and AES-256-GCM ciphertext.
    sealed        bytea,
    -- Its link is of no use after this.
    expires_at    timestamptz NOT NULL,
    status        text NOT NULL CHECK (status IN ('WAITING', 'SENT', 'REFUSED', 'EXPIRED')),
    attempts_made integer NOT NULL DEFAULT 0,
    -- When a worker may take it: the next attempt, or the end of the lease of whoever has it now.
    due_at        timestamptz,
    -- Who has it now: a result is only recorded by the holder of the lease.
    lease         uuid,
    -- Why the last attempt failed, in words without an address.
    error         text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    CHECK ((status = 'WAITING') = (due_at IS NOT NULL)),
    CHECK ((status = 'WAITING') = (sealed IS NOT NULL)),
    CHECK ((status = 'WAITING') = (ended_at IS NULL))
);
CREATE INDEX mails_due ON notifier.mails (due_at) WHERE status = 'WAITING';

SELECT notifier.guard_tenants();
