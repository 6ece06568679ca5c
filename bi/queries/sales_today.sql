-- Orders placed since midnight of the shop's clock (Europe/Berlin) and what they are worth in EUR; cancelled and returned ones do not count.
SELECT COUNT(DISTINCT order_id) AS orders_today,
       COALESCE(SUM(CASE WHEN currency = 'EUR' THEN sale_amount END), 0) AS revenue_today
FROM CORE.FCT_SALES
WHERE ordered_at >= CONVERT_TIMEZONE('Europe/Berlin', 'UTC', DATE_TRUNC('day', CONVERT_TIMEZONE('UTC', 'Europe/Berlin', SYSDATE())))
  AND COALESCE(status, '') NOT IN ('cancelled', 'returned')
