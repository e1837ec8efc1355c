-- Movements besides sales and credits by hand: card payments, returns, refunds, disputes, and usage. Added without a look at old rows
-- (NOT VALID: they pass the narrower check that goes away).
ALTER TABLE billing.postings DROP CONSTRAINT postings_kind_check;
ALTER TABLE billing.postings ADD CONSTRAINT postings_kind_check CHECK (kind IN ('lead_purchase', 'credit', 'top_up',
    'recharge', 'lead_return', 'card_refund', 'card_refund_failed', 'dispute', 'dispute_closed', 'usage')) NOT VALID;
-- What is paid back names its assignment, too: once, as what was paid for does.
ALTER TABLE billing.postings DROP CONSTRAINT purchases_name_their_assignment;
ALTER TABLE billing.postings ADD CONSTRAINT purchases_and_returns_name_their_assignment
    CHECK ((kind IN ('lead_purchase', 'lead_return')) = (assignment_id IS NOT NULL)) NOT VALID;
DROP INDEX billing.postings_assignment;
CREATE UNIQUE INDEX postings_assignment ON billing.postings (assignment_id) WHERE kind = 'lead_purchase';
CREATE UNIQUE INDEX postings_return ON billing.postings (assignment_id) WHERE kind = 'lead_return';
-- The payment whose card money it moves.
ALTER TABLE billing.postings ADD COLUMN payment_id uuid;
ALTER TABLE billing.postings ADD CONSTRAINT card_money_names_its_payment CHECK (
    (kind IN ('top_up', 'recharge', 'card_refund', 'card_refund_failed', 'dispute', 'dispute_closed')) = (payment_id IS NOT NULL)) NOT VALID;
-- A payment is credited once, whatever the program does.
CREATE UNIQUE INDEX postings_payment ON billing.postings (payment_id) WHERE kind IN ('top_up', 'recharge');

ALTER TABLE billing.accounts DROP CONSTRAINT accounts_kind_check;
ALTER TABLE billing.accounts ADD CONSTRAINT accounts_kind_check CHECK (kind IN ('buyer_wallet', 'seller_earnings',
    'platform_fees', 'external_funding', 'card_clearing', 'disputed', 'buyer_debt', 'platform_usage')) NOT VALID;
ALTER TABLE billing.accounts DROP CONSTRAINT wallets_belong_to_a_buyer;
ALTER TABLE billing.accounts ADD CONSTRAINT wallets_and_debts_belong_to_a_buyer
    CHECK ((kind IN ('buyer_wallet', 'buyer_debt')) = (buyer_id IS NOT NULL)) NOT VALID;
