-- Which channel deserves the money?
-- The worth of orders shared out among the campaign visits of the 30 days before them in three ways (docs/model.md M3); cancelled and
-- returned orders are worth nothing, other currencies than EUR are left out.
SELECT COALESCE(c.channel, 'none') AS channel,
       COUNT(DISTINCT a.order_id) AS orders_touched,
       SUM(a.first_touch) AS first_touch_eur,
       SUM(a.last_touch) AS last_touch_eur,
       SUM(a.linear) AS linear_eur,
       ROUND(SUM(a.linear) / NULLIF(SUM(SUM(a.linear)) OVER (), 0), 3) AS linear_share
FROM MART.MART_ATTRIBUTION a
LEFT JOIN CORE.DIM_CAMPAIGN c ON c.campaign_id = a.campaign_id
WHERE a.currency = 'EUR' AND COALESCE(a.status, '') NOT IN ('cancelled', 'returned')
GROUP BY COALESCE(c.channel, 'none')
ORDER BY linear_eur DESC NULLS LAST, channel
