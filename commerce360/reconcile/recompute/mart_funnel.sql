SELECT day, coalesce(campaign_id, 'direct') AS campaign_id, coalesce(device, 'unknown') AS device, count(*) AS sessions,
       count(*) FILTER (views > 0) AS viewed, count(*) FILTER (carts > 0) AS carted, count(*) FILTER (checkouts > 0) AS checked_out,
       count(*) FILTER (orders > 0) AS paid
FROM visits GROUP BY 1, 2, 3
