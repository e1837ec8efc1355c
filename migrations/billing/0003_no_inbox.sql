-- No release has used it: captures are idempotent by the state of their hold, directory records by their version.
DROP TABLE billing.inbox;
