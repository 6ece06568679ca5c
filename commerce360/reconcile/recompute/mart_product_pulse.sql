WITH looked AS (
    SELECT n.product_id, v.day, count(*) FILTER (n.event_type = 'view') AS views,
           count(DISTINCT v.session_id) FILTER (n.event_type = 'view') AS sessions, count(*) FILTER (n.event_type = 'cart') AS carts
    FROM numbered n JOIN visits v ON v.visitor_id = n.visitor_id AND v.session_no = n.session_no
    WHERE n.product_id IS NOT NULL AND n.event_type IN ('view', 'cart') GROUP BY 1, 2
), bought AS (
    SELECT s.product_id, day_of(o.ordered_at) AS day, count(DISTINCT o.order_id) AS orders, sum(coalesce(s.quantity, 0)) AS units,
           sum(coalesce(s.quantity, 0)) FILTER (o.is_returned) AS returned_units,
           sum(coalesce(s.sale_amount, 0)) FILTER (o.is_ours AND NOT o.is_returned) AS revenue,
           count(DISTINCT o.order_id) FILTER (NOT o.is_ours) AS other_currency_orders
    FROM sales s JOIN orders o ON o.order_id = s.order_id
    WHERE s.product_id IS NOT NULL AND o.ordered_at IS NOT NULL AND NOT o.is_cancelled GROUP BY 1, 2
), reviewed AS (
    SELECT product_id, day, count(*) AS reviews, count(rating) AS rated_reviews, sum(coalesce(rating, 0)) AS rating_sum,
           count(sentiment) AS scored_reviews, sum(sentiment) AS sentiment_sum
    FROM said WHERE product_id IS NOT NULL AND day IS NOT NULL GROUP BY 1, 2
)
SELECT product_id, day, coalesce(views, 0) AS views, coalesce(sessions, 0) AS sessions, coalesce(carts, 0) AS carts, coalesce(orders, 0) AS orders,
       coalesce(units, 0) AS units, coalesce(returned_units, 0) AS returned_units, coalesce(revenue, 0) AS revenue,
       coalesce(other_currency_orders, 0) AS other_currency_orders, coalesce(reviews, 0) AS reviews, coalesce(rated_reviews, 0) AS rated_reviews,
       coalesce(rating_sum, 0) AS rating_sum, coalesce(scored_reviews, 0) AS scored_reviews, coalesce(sentiment_sum, 0) AS sentiment_sum
FROM looked FULL JOIN bought USING (product_id, day) FULL JOIN reviewed USING (product_id, day)
