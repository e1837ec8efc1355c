-- Reads all attempts, so that becoming a partition need not. Reading and writing go on.
ALTER TABLE notifier.attempts VALIDATE CONSTRAINT attempts_first_until;
