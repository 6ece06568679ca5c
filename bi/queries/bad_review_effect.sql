-- Does a bad review cost sales?
-- Each product with a rating of 1 or 2: its orders in the seven days before the day of its first one and in the seven days after, beside
-- products without any, whose turning point is the middle day of all these. Expected is what it would have sold after, had it kept its share of
-- all orders: a shop that grows does not look like a review that helps.
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
),
days AS (
    SELECT day, SUM(orders) AS orders FROM MART.MART_PRODUCT_PULSE GROUP BY day
),
windows AS (
    SELECT w.products_with,
           w.product_id,
           SUM(CASE WHEN d.day < w.turned_on THEN COALESCE(p.orders, 0) ELSE 0 END) AS orders_before,
           SUM(CASE WHEN d.day > w.turned_on THEN COALESCE(p.orders, 0) ELSE 0 END) AS orders_after,
           SUM(CASE WHEN d.day < w.turned_on THEN d.orders ELSE 0 END) AS shop_before,
           SUM(CASE WHEN d.day > w.turned_on THEN d.orders ELSE 0 END) AS shop_after
    FROM products w
    JOIN days d ON d.day BETWEEN DATEADD(day, -7, w.turned_on) AND DATEADD(day, 7, w.turned_on)
    LEFT JOIN MART.MART_PRODUCT_PULSE p ON p.product_id = w.product_id AND p.day = d.day
    GROUP BY w.products_with, w.product_id
)
SELECT products_with,
       COUNT(*) AS products,
       SUM(orders_before) AS orders_before,
       SUM(orders_after) AS orders_after,
       ROUND(SUM(orders_before * shop_after / NULLIF(shop_before, 0)), 1) AS expected_after,
       ROUND(SUM(orders_after) / NULLIF(SUM(orders_before * shop_after / NULLIF(shop_before, 0)), 0), 2) AS after_to_expected
FROM windows
WHERE shop_before > 0
GROUP BY products_with
ORDER BY products_with
