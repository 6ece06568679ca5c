-- How long is it from the first visit to the first order?
-- Customers whose first visit we saw before they first ordered.
WITH firsts AS (
    SELECT customer_id, MIN(started_at) AS first_visit_at FROM CORE.FCT_SESSIONS WHERE customer_id IS NOT NULL GROUP BY customer_id
),
waits AS (
    SELECT DATEDIFF(second, f.first_visit_at, m.first_order_at) AS wait_s
    FROM firsts f
    JOIN MART.MART_CUSTOMER_360 m ON m.customer_id = f.customer_id
    WHERE m.first_order_at >= f.first_visit_at
),
bands AS (
    SELECT wait_s,
           CASE WHEN wait_s < 1800 THEN 1 WHEN wait_s < 86400 THEN 2 WHEN wait_s < 604800 THEN 3 WHEN wait_s < 2592000 THEN 4 ELSE 5 END AS band
    FROM waits
)
SELECT CASE band WHEN 1 THEN 'within half an hour' WHEN 2 THEN 'within a day' WHEN 3 THEN 'within a week'
                 WHEN 4 THEN 'within 30 days' ELSE 'later' END AS first_order_came,
       COUNT(*) AS customers,
       ROUND(COUNT(*) / NULLIF(SUM(COUNT(*)) OVER (), 0), 3) AS share,
       ROUND(AVG(wait_s) / 3600, 1) AS average_hours
FROM bands
GROUP BY band
ORDER BY band
