-- Does a bad review cost sales?
-- Each product with a rating of 1 or 2: its orders in the seven days before the day of its first one and in the seven days after, beside
-- products without any, whose turning point is the middle day of all these.
WITH bad AS (
    SELECT product_id, MIN(day) AS turned_on FROM CORE.FCT_REVIEWS WHERE rating <= 2 AND product_id IS NOT NULL GROUP BY product_id
),
middle AS (
    SELECT MAX(turned_on) AS turned_on
    FROM (SELECT turned_on, NTILE(2) OVER (ORDER BY turned_on, product_id) AS half FROM bad)
    WHERE half = 1
),
products AS (
    SELECT product_id, turned_on, 'a rating of 1 or 2' AS products_with FROM bad
    UNION ALL
    SELECT DISTINCT p.product_id, m.turned_on, 'no bad rating'
    FROM MART.MART_PRODUCT_PULSE p
    CROSS JOIN middle m
    WHERE NOT EXISTS (SELECT 1 FROM bad b WHERE b.product_id = p.product_id)
)
SELECT w.products_with,
       COUNT(DISTINCT w.product_id) AS products,
       COALESCE(SUM(CASE WHEN p.day < w.turned_on THEN p.orders END), 0) AS orders_before,
       COALESCE(SUM(CASE WHEN p.day > w.turned_on THEN p.orders END), 0) AS orders_after,
       ROUND(SUM(CASE WHEN p.day > w.turned_on THEN p.orders END) / NULLIF(SUM(CASE WHEN p.day < w.turned_on THEN p.orders END), 0), 2)
           AS after_to_before
FROM products w
LEFT JOIN MART.MART_PRODUCT_PULSE p
    ON p.product_id = w.product_id AND p.day BETWEEN DATEADD(day, -7, w.turned_on) AND DATEADD(day, 7, w.turned_on)
GROUP BY w.products_with
ORDER BY w.products_with
