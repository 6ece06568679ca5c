-- Do badly rated products sell less?
-- Products by their average rating: how many of the visits that saw one put it into the cart, and how many units came back.
WITH products AS (
    SELECT product_id,
           SUM(sessions) AS sessions,
           SUM(carts) AS carts,
           SUM(orders) AS orders,
           SUM(units) AS units,
           SUM(returned_units) AS returned_units,
           SUM(reviews) AS reviews,
           SUM(rating_sum) / NULLIF(SUM(rated_reviews), 0) AS average_rating
    FROM MART.MART_PRODUCT_PULSE
    GROUP BY product_id
),
bands AS (
    SELECT p.*,
           CASE WHEN average_rating IS NULL THEN 'not rated'
                WHEN average_rating < 2.5 THEN 'below 2.5'
                WHEN average_rating < 3.5 THEN '2.5 to 3.5'
                WHEN average_rating < 4.5 THEN '3.5 to 4.5'
                ELSE '4.5 and better' END AS rating_band
    FROM products p
)
SELECT rating_band,
       COUNT(*) AS products,
       SUM(reviews) AS reviews,
       SUM(sessions) AS viewing_visits,
       ROUND(SUM(carts) / NULLIF(SUM(sessions), 0), 3) AS carts_per_viewing_visit,
       SUM(orders) AS orders,
       ROUND(SUM(returned_units) / NULLIF(SUM(units), 0), 3) AS returned_share_of_units
FROM bands
GROUP BY rating_band
ORDER BY MIN(average_rating) NULLS LAST
