-- Which products are looked at and do not sell?
-- Products that at least as many visits saw as saw the middle one, by how many of those visits put them into the cart. Orders are all of
-- the product's, also those that no visit led to.
WITH products AS (
    SELECT product_id,
           SUM(views) AS views,
           SUM(sessions) AS sessions,
           SUM(carts) AS carts,
           SUM(orders) AS orders,
           SUM(rated_reviews) AS rated_reviews,
           SUM(rating_sum) AS rating_sum
    FROM MART.MART_PRODUCT_PULSE
    GROUP BY product_id
    HAVING SUM(sessions) > 0
),
halves AS (
    SELECT p.*, NTILE(2) OVER (ORDER BY sessions DESC, product_id) AS half FROM products p
)
SELECT h.product_id,
       d.name,
       d.category,
       d.price,
       h.sessions AS viewing_visits,
       h.carts,
       h.orders,
       ROUND(h.carts / NULLIF(h.sessions, 0), 3) AS carts_per_viewing_visit,
       ROUND(h.rating_sum / NULLIF(h.rated_reviews, 0), 2) AS average_rating
FROM halves h
LEFT JOIN CORE.DIM_PRODUCT d ON d.product_id = h.product_id AND d.is_current
WHERE h.half = 1
ORDER BY carts_per_viewing_visit, h.sessions DESC, h.product_id
LIMIT 20
