SELECT campaign_id, name, channel, discount_percent, FALSE AS is_inferred FROM campaigns
UNION ALL
SELECT DISTINCT campaign_id, NULL, NULL, NULL, TRUE
FROM named_campaigns WHERE campaign_id <> '' AND campaign_id NOT IN (SELECT campaign_id FROM campaigns)
