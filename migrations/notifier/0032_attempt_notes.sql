-- What else there is to know of an attempt, in words: that its answer was cut off.
ALTER TABLE notifier.attempts ADD COLUMN note text NOT NULL DEFAULT '';
