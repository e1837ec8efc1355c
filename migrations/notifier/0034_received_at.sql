-- When the lead that is told of was received: what its way took is measured when it has arrived. NULL: told of something else, or written
-- by the release before.
ALTER TABLE notifier.deliveries ADD COLUMN received_at timestamptz;
ALTER TABLE notifier.messages ADD COLUMN received_at timestamptz;
