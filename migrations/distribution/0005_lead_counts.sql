-- How many leads a campaign got (without tests): counting them anew for each look at a list of campaigns would read millions of
-- rows. The row is locked by every batch anyway, and written by nearly every one.
ALTER TABLE distribution.campaign_routing ADD COLUMN leads bigint NOT NULL DEFAULT 0;
UPDATE distribution.campaign_routing r SET leads = t.leads
FROM (SELECT campaign_id, count(*) AS leads FROM distribution.leads
      WHERE NOT test AND reason <> 'campaign_unknown' GROUP BY campaign_id) t
WHERE r.campaign_id = t.campaign_id;
