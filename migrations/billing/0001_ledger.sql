-- Wallets, holds and the double-entry ledger.

CREATE SCHEMA IF NOT EXISTS billing;

-- What billing knows of a tenant, from seller.changed. A row with version 0 only says that a buyer of this tenant was
-- seen before the tenant itself: its wallets take no holds and no money until the rest is known.
CREATE TABLE billing.sellers (
    seller_id            uuid PRIMARY KEY,
    version              bigint NOT NULL DEFAULT 0,
    currency             text CHECK (currency ~ '^[A-Z]{3}$'),
    time_zone            text,
    platform_fee_percent numeric(7, 4) CHECK (platform_fee_percent BETWEEN 0 AND 100),
    CONSTRAINT known_as_a_whole CHECK (
        version = 0 OR (currency IS NOT NULL AND time_zone IS NOT NULL AND platform_fee_percent IS NOT NULL)
    )
);

-- One row a buyer, made by buyer.changed. Every change of a wallet or of one of its holds happens under the lock of
-- this row; a transaction locks all the wallets it needs first, in id order. The low fill factor lets updates stay
-- on their page (no column that changes is indexed).
CREATE TABLE billing.wallets (
    buyer_id              uuid PRIMARY KEY,
    seller_id             uuid NOT NULL,
    -- Of the buyer's record that limits and status are taken from.
    version               bigint NOT NULL DEFAULT 0,
    status                text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'archived')),
    balance               numeric(14, 2) NOT NULL DEFAULT 0 CHECK (balance >= 0),
    held                  numeric(14, 2) NOT NULL DEFAULT 0 CHECK (held >= 0),
    -- Open holds included. week_start is a Monday, month_start a first; both on the tenant's calendar.
    spent_week            numeric(14, 2) NOT NULL DEFAULT 0 CHECK (spent_week >= 0),
    week_start            date NOT NULL DEFAULT '1970-01-01',
    spent_month           numeric(14, 2) NOT NULL DEFAULT 0 CHECK (spent_month >= 0),
    month_start           date NOT NULL DEFAULT '1970-01-01',
    -- NULL is unlimited; zero allows nothing.
    weekly_limit          numeric(14, 2) CHECK (weekly_limit >= 0),
    monthly_limit         numeric(14, 2) CHECK (monthly_limit >= 0),
    -- Zero: never told.
    low_balance_threshold numeric(14, 2) NOT NULL DEFAULT 0 CHECK (low_balance_threshold >= 0),
    -- How many lines the statement has.
    lines                 bigint NOT NULL DEFAULT 0 CHECK (lines >= 0),
    created_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT held_is_covered CHECK (held <= balance)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX wallets_of_seller ON billing.wallets (seller_id, buyer_id);

-- One row an assignment that somebody asked money for. No foreign key to wallets: it would lock the wallet's row
-- once more for every hold, and wallets are never deleted.
CREATE TABLE billing.holds (
    hold_id     uuid PRIMARY KEY,
    buyer_id    uuid NOT NULL,
    seller_id   uuid NOT NULL,
    lead_id     uuid NOT NULL,
    campaign_id uuid NOT NULL,
    amount      numeric(14, 2) NOT NULL CHECK (amount >= 0),
    state       text NOT NULL CHECK (state IN ('held', 'captured', 'released')),
    -- How often it was placed; a release names the number it saw.
    attempts    integer NOT NULL CHECK (attempts > 0),
    placed_at   timestamptz NOT NULL,
    -- The windows of the wallet that it counts in.
    week_start  date NOT NULL,
    month_start date NOT NULL,
    ended_at    timestamptz,
    posting_id  uuid,
    CONSTRAINT ended_when_not_held CHECK ((state = 'held') = (ended_at IS NULL)),
    CONSTRAINT captured_by_a_posting CHECK ((state = 'captured') = (posting_id IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- For the worker that releases holds nobody captured.
CREATE INDEX holds_open ON billing.holds (placed_at, hold_id) WHERE state = 'held';

-- The id of an account is derived from its kind and owners, so entries are written without looking accounts up.
CREATE TABLE billing.accounts (
    account_id uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('buyer_wallet', 'seller_earnings', 'platform_fees', 'external_funding')),
    seller_id  uuid NOT NULL,
    buyer_id   uuid,
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT wallets_belong_to_a_buyer CHECK ((kind = 'buyer_wallet') = (buyer_id IS NOT NULL)),
    CONSTRAINT one_account_of_a_kind UNIQUE NULLS NOT DISTINCT (kind, seller_id, buyer_id)
);

-- One balanced movement of money.
CREATE TABLE billing.postings (
    -- UUIDv7: later ones sort after earlier ones.
    posting_id    uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('lead_purchase', 'credit')),
    seller_id     uuid NOT NULL,
    -- What was paid for, for a purchase.
    assignment_id uuid,
    at            timestamptz NOT NULL,
    description   text NOT NULL,
    CONSTRAINT purchases_name_their_assignment CHECK ((kind = 'lead_purchase') = (assignment_id IS NOT NULL))
);
-- An assignment is paid once, whatever the program does.
CREATE UNIQUE INDEX postings_assignment ON billing.postings (assignment_id) WHERE assignment_id IS NOT NULL;

-- The lines of postings. Exactly one line of a posting is a wallet's: it has a number in that wallet's statement
-- (1, 2, 3 … without gaps) and the balance after it. No foreign keys: with three lines a lead they cost
-- more than the rest of the insert; all lines of a posting are written by one statement together with it.
CREATE TABLE billing.entries (
    posting_id    uuid NOT NULL,
    line          smallint NOT NULL,
    account_id    uuid NOT NULL,
    -- Positive adds to the account.
    amount        numeric(14, 2) NOT NULL,
    number        bigint,
    balance_after numeric(14, 2) CHECK (balance_after >= 0),
    PRIMARY KEY (posting_id, line),
    CONSTRAINT wallet_lines_are_whole CHECK ((number IS NULL) = (balance_after IS NULL)),
    CONSTRAINT only_wallet_lines_may_be_zero CHECK (amount <> 0 OR number IS NOT NULL)
);
-- The statement, and the guarantee that no two lines continue the same balance.
CREATE UNIQUE INDEX entries_statement ON billing.entries (account_id, number) WHERE number IS NOT NULL;

-- Money that was added to wallets, by the caller's id.
CREATE TABLE billing.credits (
    seller_id  uuid NOT NULL,
    credit_id  text NOT NULL CHECK (length(credit_id) BETWEEN 1 AND 200),
    buyer_id   uuid NOT NULL,
    amount     numeric(14, 2) NOT NULL CHECK (amount > 0),
    posting_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (seller_id, credit_id)
);

-- Postings balance. Checked once a statement over the rows it wrote, not once a row: a deferred constraint trigger
-- fires for every row and was left out for its cost. So all lines of a posting must be written by one statement,
-- and a line added later is refused because it does not balance by itself.
CREATE FUNCTION billing.refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced uuid;
BEGIN
    SELECT posting_id INTO unbalanced FROM written GROUP BY posting_id HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not sum to zero', unbalanced USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_balance AFTER INSERT ON billing.entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_unbalanced();

-- The ledger is append-only, for every role: what was wrong is put right by another posting.
CREATE FUNCTION billing.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER postings_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.postings
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_rewriting();
CREATE TRIGGER entries_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.entries
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_rewriting();
CREATE TRIGGER credits_are_final BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.credits
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_rewriting();
