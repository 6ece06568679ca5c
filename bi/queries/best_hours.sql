-- What are the best hours of the day?
-- Hours of the shop's clock (Europe/Berlin); visits by their start, orders by the time they were placed, worth in EUR of those that last.
WITH visits AS (
    SELECT HOUR(CONVERT_TIMEZONE('UTC', 'Europe/Berlin', started_at)) AS hour_of_day,
           COUNT(*) AS visits,
           COUNT(CASE WHEN orders > 0 THEN 1 END) AS visits_with_order
    FROM CORE.FCT_SESSIONS
    WHERE started_at IS NOT NULL
    GROUP BY 1
),
sales AS (
    SELECT HOUR(CONVERT_TIMEZONE('UTC', 'Europe/Berlin', ordered_at)) AS hour_of_day,
           COUNT(DISTINCT CASE WHEN COALESCE(status, '') <> 'cancelled' THEN order_id END) AS orders,
           SUM(CASE WHEN currency = 'EUR' AND COALESCE(status, '') NOT IN ('cancelled', 'returned') THEN sale_amount ELSE 0 END) AS revenue_eur
    FROM CORE.FCT_SALES
    WHERE ordered_at IS NOT NULL
    GROUP BY 1
)
SELECT COALESCE(v.hour_of_day, s.hour_of_day) AS hour_of_day,
       COALESCE(v.visits, 0) AS visits,
       ROUND(v.visits_with_order / NULLIF(v.visits, 0), 3) AS conversion,
       COALESCE(s.orders, 0) AS orders,
       COALESCE(s.revenue_eur, 0) AS revenue_eur
FROM visits v
FULL OUTER JOIN sales s ON s.hour_of_day = v.hour_of_day
ORDER BY revenue_eur DESC, hour_of_day
