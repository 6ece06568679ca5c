-- Orders placed since midnight UTC and what they are worth; cancelled and returned ones do not count.
SELECT COUNT(DISTINCT order_id) AS orders_today,
       COALESCE(SUM(sale_amount), 0) AS revenue_today
FROM CORE.FCT_SALES
WHERE ordered_at >= CAST(SYSDATE() AS DATE)
  AND status NOT IN ('cancelled', 'returned')
