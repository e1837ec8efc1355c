-- Days after which personal data of a tenant's leads is removed. Without a row, or 0: as the platform's default says.
-- A table of its own: the release before reads whole rows of `sellers` by statements that it keeps prepared, and these bear no further column.
CREATE TABLE accounts.retention (
    seller_id uuid PRIMARY KEY REFERENCES accounts.sellers (seller_id),
    days      integer NOT NULL CHECK (days BETWEEN 0 AND 3650)
);

SELECT accounts.guard_tenants();
GRANT SELECT, INSERT, UPDATE ON accounts.retention TO leadflow_accounts_tenant;
