-- Card payments: charges, refunds, disputes, and when a wallet is recharged by itself.

-- What a buyer owes because his card took back money that he had spent, and disputes that are not decided. A suspended wallet takes no
-- new holds; holds that stand are still paid.
ALTER TABLE billing.wallets
    ADD COLUMN suspended     boolean NOT NULL DEFAULT false,
    ADD COLUMN debt          numeric(14, 2) NOT NULL DEFAULT 0 CHECK (debt >= 0),
    ADD COLUMN open_disputes integer NOT NULL DEFAULT 0 CHECK (open_disputes >= 0);

-- What was owed is repaid from the wallet, by a posting of its own after the one that brought the money.
ALTER TABLE billing.postings DROP CONSTRAINT postings_kind_check;
ALTER TABLE billing.postings ADD CONSTRAINT postings_kind_check CHECK (kind IN ('lead_purchase', 'credit', 'top_up', 'recharge',
    'lead_return', 'card_refund', 'card_refund_failed', 'dispute', 'dispute_closed', 'debt_repaid', 'usage')) NOT VALID;

-- One row for each time a card is charged. Written and committed before the provider is asked; the id is the provider's idempotency key.
CREATE TABLE billing.payments (
    payment_id     uuid PRIMARY KEY,
    seller_id      uuid NOT NULL,
    buyer_id       uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('top_up', 'recharge')),
    -- Made by the caller; unique in the tenant. A recharge has none.
    request_id     text CHECK (length(request_id) BETWEEN 1 AND 200),
    amount         numeric(14, 2) NOT NULL CHECK (amount > 0),
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    card_id        uuid NOT NULL,
    -- The provider's ids of the card and its owner, as they were then.
    customer       text NOT NULL,
    payment_method text NOT NULL,
    state          text NOT NULL DEFAULT 'pending'
                   CHECK (state IN ('pending', 'requires_action', 'declined', 'canceled', 'succeeded')),
    -- The provider's id of the charge.
    intent_id      text,
    decline_code   text,
    -- While it waits for the card's owner.
    client_secret  text,
    -- What the card paid, once it did; of that: what went back, and what a dispute that is open or lost has taken. More than was
    -- paid can go back on the provider's own pages only by its mistake.
    received       numeric(14, 2) NOT NULL DEFAULT 0 CHECK (received >= 0),
    refunded       numeric(14, 2) NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    disputed       numeric(14, 2) NOT NULL DEFAULT 0 CHECK (disputed >= 0),
    -- Counts bookings of refunds that the provider told of, so that an old answer is known for what it is.
    looks          integer NOT NULL DEFAULT 0,
    posting_id     uuid,
    created_at     timestamptz NOT NULL,
    settled_at     timestamptz,
    -- When the provider is asked (again) about it; NULL when nothing is open. How often that was done.
    attempt_at     timestamptz,
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    CONSTRAINT only_top_ups_are_asked_for CHECK ((kind = 'top_up') = (request_id IS NOT NULL)),
    CONSTRAINT credited_when_succeeded CHECK (
        (state = 'succeeded') = (posting_id IS NOT NULL) AND (state = 'succeeded') = (received > 0)),
    CONSTRAINT asked_about_while_open CHECK ((state IN ('pending', 'requires_action')) = (attempt_at IS NOT NULL)),
    CONSTRAINT secret_only_while_it_is_of_use CHECK (client_secret IS NULL OR state = 'requires_action')
);
CREATE UNIQUE INDEX payments_request ON billing.payments (seller_id, request_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX payments_intent ON billing.payments (intent_id) WHERE intent_id IS NOT NULL;
-- However many reasons there are at once, a buyer has one recharge under way.
CREATE UNIQUE INDEX payments_open_recharge ON billing.payments (buyer_id) WHERE kind = 'recharge' AND state IN ('pending', 'requires_action');
CREATE INDEX payments_unsettled ON billing.payments (attempt_at) WHERE attempt_at IS NOT NULL;
CREATE INDEX payments_of_buyer ON billing.payments (buyer_id, created_at DESC, payment_id DESC) WHERE state = 'succeeded';

-- Whether, and with how much, a wallet is recharged. Below what it is: wallets.low_balance_threshold.
CREATE TABLE billing.recharges (
    buyer_id           uuid PRIMARY KEY,
    seller_id          uuid NOT NULL,
    enabled            boolean NOT NULL DEFAULT false,
    amount             numeric(14, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
    cover_waiting_lead boolean NOT NULL DEFAULT false,
    most_a_day         integer NOT NULL DEFAULT 3 CHECK (most_a_day BETWEEN 1 AND 20),
    -- Declines in a row, of which card, and no attempt with that card before when.
    declines           integer NOT NULL DEFAULT 0 CHECK (declines >= 0),
    declined_card      uuid,
    not_before         timestamptz,
    -- Attempts of that day on the tenant's calendar.
    day                date NOT NULL DEFAULT '1970-01-01',
    made_that_day      integer NOT NULL DEFAULT 0 CHECK (made_that_day >= 0),
    -- In words, when the program turned it off.
    turned_off_because text NOT NULL DEFAULT '',
    CONSTRAINT enabled_with_an_amount CHECK (NOT enabled OR amount > 0)
);
CREATE INDEX recharges_enabled ON billing.recharges (buyer_id) WHERE enabled;

-- Wallets to look at: available money fell below the threshold, or did not pay for a lead.
CREATE TABLE billing.recharge_due (
    buyer_id  uuid PRIMARY KEY,
    seller_id uuid NOT NULL,
    -- The price of the dearest lead that was refused for lack of funds of late, and when it was.
    wanted    numeric(14, 2) CHECK (wanted > 0),
    wanted_at timestamptz,
    due_at    timestamptz NOT NULL,
    CONSTRAINT wanted_at_some_time CHECK ((wanted IS NULL) = (wanted_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX recharge_due_first ON billing.recharge_due (due_at);

-- "Give this much of a buyer's balance back", once for each id of the caller.
CREATE TABLE billing.refund_requests (
    seller_id  uuid NOT NULL,
    request_id text NOT NULL CHECK (length(request_id) BETWEEN 1 AND 200),
    buyer_id   uuid NOT NULL,
    amount     numeric(14, 2) NOT NULL CHECK (amount > 0),
    reason     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (seller_id, request_id)
);

-- Parts of charges that went back. The id of ours is the provider's idempotency key; one without a request was made on the provider's own pages.
CREATE TABLE billing.refunds (
    refund_id      uuid PRIMARY KEY,
    seller_id      uuid NOT NULL,
    buyer_id       uuid NOT NULL,
    payment_id     uuid NOT NULL,
    request_id     text,
    amount         numeric(14, 2) NOT NULL CHECK (amount > 0),
    state          text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    -- The provider's id of ours, as soon as it is known: it has taken the order then.
    provider_id    text,
    -- Took the money from the wallet; brought it back.
    posting_id     uuid NOT NULL,
    failed_posting uuid,
    created_at     timestamptz NOT NULL,
    settled_at     timestamptz,
    attempt_at     timestamptz,
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    CONSTRAINT back_when_failed CHECK ((state = 'failed') = (failed_posting IS NOT NULL)),
    CONSTRAINT asked_about_while_pending CHECK (state = 'pending' OR attempt_at IS NULL)
);
CREATE UNIQUE INDEX refunds_request ON billing.refunds (seller_id, request_id, payment_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX refunds_provider ON billing.refunds (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX refunds_of_payment ON billing.refunds (payment_id);
CREATE INDEX refunds_unsettled ON billing.refunds (attempt_at) WHERE attempt_at IS NOT NULL;

CREATE TABLE billing.disputes (
    -- The provider's.
    dispute_id     text PRIMARY KEY,
    seller_id      uuid NOT NULL,
    buyer_id       uuid NOT NULL,
    payment_id     uuid NOT NULL,
    amount         numeric(14, 2) NOT NULL CHECK (amount > 0),
    state          text NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    -- NULL for one that was won before it was heard of.
    opened_posting uuid,
    closed_posting uuid,
    opened_at      timestamptz NOT NULL,
    closed_at      timestamptz,
    CONSTRAINT closed_when_not_open CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX disputes_of_payment ON billing.disputes (payment_id);

SELECT billing.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON billing.payments, billing.recharges, billing.refunds, billing.disputes TO leadflow_billing_tenant;
GRANT SELECT, INSERT ON billing.refund_requests TO leadflow_billing_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON billing.recharge_due TO leadflow_billing_tenant;
-- Accounts of kinds that a tenant had no use for are opened when they are first written to.
GRANT INSERT ON billing.accounts TO leadflow_billing_tenant;
