-- Its provider may have it: whoever had it died before he recorded what came of it, or the answer was lost. It is asked for before it is sent
-- again.
ALTER TABLE notifier.messages ADD COLUMN may_be_sent boolean NOT NULL DEFAULT false;
-- Whose phone sent STOP.
CREATE INDEX buyers_by_phone ON notifier.buyers (phone) WHERE phone <> '';
