-- How far do visits come, by campaign and device?
SELECT campaign_id,
       device,
       SUM(sessions) AS sessions,
       SUM(viewed) AS viewed,
       SUM(carted) AS carted,
       SUM(checked_out) AS checked_out,
       SUM(paid) AS paid,
       ROUND(SUM(checked_out) / NULLIF(SUM(carted), 0), 3) AS checkouts_per_cart,
       ROUND(SUM(paid) / NULLIF(SUM(sessions), 0), 3) AS conversion
FROM MART.MART_FUNNEL
GROUP BY campaign_id, device
ORDER BY conversion DESC NULLS LAST, campaign_id, device
