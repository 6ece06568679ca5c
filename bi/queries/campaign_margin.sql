-- Which campaign earns after discounts and returns?
-- Lines in EUR whose cost is known; cancelled ones are left out, returned ones earn nothing.
SELECT COALESCE(NULLIF(campaign_id, ''), 'direct') AS campaign_id,
       COUNT(DISTINCT order_id) AS orders,
       SUM(CASE WHEN COALESCE(status, '') <> 'returned' THEN sale_amount ELSE 0 END) AS kept_revenue_eur,
       SUM(discount) AS discount_eur,
       SUM(CASE WHEN COALESCE(status, '') <> 'returned' THEN sale_amount - cost ELSE 0 END) AS margin_eur,
       ROUND(SUM(CASE WHEN COALESCE(status, '') <> 'returned' THEN sale_amount - cost END)
             / NULLIF(SUM(CASE WHEN COALESCE(status, '') <> 'returned' THEN sale_amount END), 0), 3) AS margin_rate,
       ROUND(SUM(CASE WHEN COALESCE(status, '') <> 'returned' THEN sale_amount - cost ELSE 0 END) / NULLIF(COUNT(DISTINCT order_id), 0), 2)
           AS margin_per_order_eur
FROM CORE.FCT_SALES
WHERE currency = 'EUR' AND COALESCE(status, '') <> 'cancelled' AND cost IS NOT NULL
GROUP BY COALESCE(NULLIF(campaign_id, ''), 'direct')
ORDER BY margin_per_order_eur DESC NULLS LAST, campaign_id
