-- What is of no use any more is found without a look at all that waits.
CREATE INDEX messages_expiring ON notifier.messages (expires_at) WHERE status = 'WAITING';

-- Names change: the directory's older news do not overwrite newer ones.
ALTER TABLE notifier.buyers ADD COLUMN version bigint NOT NULL DEFAULT 0;
