-- The last day of which a buyer was told, or of which there was nothing to tell, in his time zone.
ALTER TABLE notifier.preferences ADD COLUMN summarised_day date;
CREATE INDEX preferences_summaries ON notifier.preferences (buyer_id) WHERE daily_summary;
