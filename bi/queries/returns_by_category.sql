-- What comes back, by category, and what margin is lost with it?
-- Lines of orders in EUR that are not cancelled; margin where the cost is known. Products are filed as they were when they were ordered.
SELECT COALESCE(NULLIF(p.category, ''), 'not known') AS category,
       SUM(s.quantity) AS units,
       SUM(CASE WHEN s.status = 'returned' THEN s.quantity ELSE 0 END) AS returned_units,
       ROUND(SUM(CASE WHEN s.status = 'returned' THEN s.quantity ELSE 0 END) / NULLIF(SUM(s.quantity), 0), 3) AS return_rate,
       SUM(CASE WHEN s.status = 'returned' THEN s.sale_amount ELSE 0 END) AS returned_eur,
       SUM(CASE WHEN s.status = 'returned' AND s.cost IS NOT NULL THEN s.sale_amount - s.cost ELSE 0 END) AS margin_lost_eur,
       SUM(CASE WHEN COALESCE(s.status, '') <> 'returned' AND s.cost IS NOT NULL THEN s.sale_amount - s.cost ELSE 0 END) AS margin_kept_eur
FROM CORE.FCT_SALES s
LEFT JOIN CORE.DIM_PRODUCT p ON p.version_key = s.product_version_key
WHERE s.currency = 'EUR' AND COALESCE(s.status, '') <> 'cancelled'
GROUP BY COALESCE(NULLIF(p.category, ''), 'not known')
ORDER BY margin_lost_eur DESC, category
