-- The funnel of each campaign: all visits, and those that began today by the shop's clock (Europe/Berlin).
SELECT campaign_id,
       SUM(sessions) AS sessions,
       SUM(viewed) AS viewed,
       SUM(carted) AS carted,
       SUM(checked_out) AS checked_out,
       SUM(paid) AS paid,
       SUM(CASE WHEN is_today THEN sessions ELSE 0 END) AS sessions_today,
       SUM(CASE WHEN is_today THEN viewed ELSE 0 END) AS viewed_today,
       SUM(CASE WHEN is_today THEN carted ELSE 0 END) AS carted_today,
       SUM(CASE WHEN is_today THEN checked_out ELSE 0 END) AS checked_out_today,
       SUM(CASE WHEN is_today THEN paid ELSE 0 END) AS paid_today
FROM (
    SELECT f.*, f.day = CAST(CONVERT_TIMEZONE('UTC', 'Europe/Berlin', SYSDATE()) AS DATE) AS is_today FROM MART.MART_FUNNEL f
)
GROUP BY campaign_id
ORDER BY sessions DESC, campaign_id
