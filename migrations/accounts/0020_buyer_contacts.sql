-- How each buyer is reached, as it was told last.

CREATE TABLE accounts.buyer_contacts (
    buyer_id       uuid PRIMARY KEY,
    seller_id      uuid NOT NULL,
    -- Counts what was told; 0: nothing yet.
    version        bigint NOT NULL DEFAULT 0,
    name           text NOT NULL DEFAULT '',
    email          text NOT NULL DEFAULT '',
    email_verified boolean NOT NULL DEFAULT false,
    phone          text NOT NULL DEFAULT '',
    FOREIGN KEY (buyer_id, seller_id) REFERENCES accounts.buyers (buyer_id, seller_id)
);
-- Who signs in for a buyer.
CREATE INDEX users_of_buyer ON accounts.users (buyer_id, created_at, user_id) WHERE buyer_id IS NOT NULL;

SELECT accounts.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON accounts.buyer_contacts TO leadflow_accounts_tenant;
