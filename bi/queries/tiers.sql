-- Do gold customers behave differently?
SELECT COALESCE(tier, 'not known') AS tier,
       COUNT(*) AS customers,
       ROUND(AVG(sessions), 2) AS visits_each,
       ROUND(AVG(orders), 2) AS orders_each,
       ROUND(SUM(lifetime_value) / NULLIF(COUNT(*), 0), 2) AS lifetime_value_each_eur,
       ROUND(SUM(returned_orders) / NULLIF(SUM(orders), 0), 3) AS return_rate,
       ROUND(SUM(abandoned_carts) / NULLIF(SUM(sessions), 0), 3) AS abandoned_carts_per_visit,
       ROUND(COUNT(CASE WHEN churn_risk = 'high' THEN 1 END) / NULLIF(COUNT(CASE WHEN orders > 0 THEN 1 END), 0), 3) AS high_risk_share_of_buyers
FROM MART.MART_CUSTOMER_360
GROUP BY COALESCE(tier, 'not known')
ORDER BY lifetime_value_each_eur DESC NULLS LAST, tier
