-- What is left in abandoned carts?
-- Visits with a cart and no order: each product once a visit, at its price now (the catalogue is in EUR).
SELECT p.product_id,
       p.name,
       p.category,
       COUNT(DISTINCT e.session_id) AS carts,
       p.price,
       COUNT(DISTINCT e.session_id) * p.price AS worth_eur,
       SUM(COUNT(DISTINCT e.session_id) * p.price) OVER () AS worth_of_all_eur
FROM CORE.FCT_SESSIONS s
JOIN CORE.FCT_PAGE_EVENTS e ON e.session_id = s.session_id AND e.event_type = 'cart'
JOIN CORE.DIM_PRODUCT p ON p.product_id = e.product_id AND p.is_current
WHERE s.carts > 0 AND s.orders = 0
GROUP BY p.product_id, p.name, p.category, p.price
ORDER BY worth_eur DESC NULLS LAST, p.product_id
LIMIT 20
