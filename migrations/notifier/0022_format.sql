-- How a receiver wants to be called: headers, credentials, a body of its own form.
ALTER TABLE notifier.endpoints
    -- Headers and credentials: nonce and AES-256-GCM ciphertext, bound to the endpoint's id. NULL: none.
    ADD COLUMN sealed_format        bytea,
    -- Fingerprint of the key that they are encrypted with.
    ADD COLUMN sealed_format_key_id text,
    -- NULL: the usual body.
    ADD COLUMN body_template        text,
    ADD COLUMN body_type            text CHECK (body_type IN ('application/json', 'application/x-www-form-urlencoded')),
    ADD CHECK ((sealed_format IS NULL) = (sealed_format_key_id IS NULL)),
    ADD CHECK ((body_template IS NULL) = (body_type IS NULL));
