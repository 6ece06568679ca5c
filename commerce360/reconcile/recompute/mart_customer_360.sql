WITH everybody AS (
    SELECT customer_id FROM customers UNION SELECT customer_id FROM orders WHERE customer_id IS NOT NULL
    UNION SELECT customer_id FROM visits WHERE customer_id IS NOT NULL
    UNION SELECT customer_id FROM said WHERE customer_id IS NOT NULL AND reviewed_at IS NOT NULL
), person AS (
    SELECT customer_id, TRUE AS is_known, country, tier, marketing_consent,
           CASE WHEN strpos(email, '@') > 1 THEN substr(email, 1, 1) || '***' || substr(email, strpos(email, '@')) END AS email_masked
    FROM customers WHERE is_current AND NOT is_deleted
), timed AS (
    SELECT *, NOT is_cancelled AS counts, is_ours AND NOT is_cancelled AND NOT is_returned AS keeps
    FROM orders WHERE ordered_at IS NOT NULL AND customer_id IS NOT NULL
), bought AS (
    SELECT customer_id, min(ordered_at) FILTER (counts) AS first_order_at, max(ordered_at) FILTER (counts) AS last_order_at,
           count(*) FILTER (counts) AS orders, count(*) FILTER (is_cancelled) AS cancelled_orders, count(*) FILTER (is_returned) AS returned_orders,
           coalesce(sum(units) FILTER (counts), 0) AS units, coalesce(sum(amount) FILTER (keeps), 0) AS lifetime_value, count(*) FILTER (keeps) AS kept,
           count(*) FILTER (counts AND NOT is_ours) AS other_currency_orders,
           last(is_returned ORDER BY ordered_at, order_id) FILTER (counts) AS last_is_returned
    FROM timed GROUP BY customer_id
), filed AS (  -- the category that a product had when it was ordered; before its first version that of the first
    SELECT o.customer_id, s.quantity, nullif(coalesce(
        (SELECT arg_max_null(p.category, p.valid_from) FROM products p WHERE p.product_id = s.product_id AND p.valid_from <= o.ordered_at),
        CASE WHEN NOT EXISTS (SELECT 1 FROM products p WHERE p.product_id = s.product_id AND p.valid_from <= o.ordered_at)
             THEN (SELECT arg_min_null(p.category, p.valid_from) FROM products p WHERE p.product_id = s.product_id) END), '') AS category
    FROM sales s JOIN timed o ON o.order_id = s.order_id WHERE o.counts AND s.product_id IS NOT NULL
), favourite AS (
    SELECT customer_id, category AS favourite_category FROM filed WHERE category IS NOT NULL GROUP BY 1, 2
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY sum(coalesce(quantity, 0)) DESC, category) = 1
), visited AS (
    SELECT customer_id, count(*) AS sessions, max(ended_at) AS last_session_at, count(*) FILTER (carts > 0 AND orders = 0) AS abandoned_carts,
           count(*) FILTER (day > as_of() - 7 AND day <= as_of()) AS sessions_7d, count(*) FILTER (day > as_of() - 30 AND day <= as_of()) AS sessions_30d
    FROM visits WHERE customer_id IS NOT NULL GROUP BY customer_id
), reviewed AS (
    SELECT customer_id, count(*) AS reviews, sum(rating) AS ratings, count(rating) AS rated, CAST(sum(sentiment) * 10000 AS BIGINT) AS sentiments,
           count(sentiment) AS scored, max(reviewed_at) AS last_review_at, arg_max_null(struct_pack(r := rating), (reviewed_at, review_id)).r AS last_rating
    FROM said WHERE customer_id IS NOT NULL AND reviewed_at IS NOT NULL GROUP BY customer_id
), joined AS (
    SELECT e.customer_id, p.* EXCLUDE (customer_id), b.* EXCLUDE (customer_id), f.favourite_category, v.* EXCLUDE (customer_id), r.* EXCLUDE (customer_id),
           as_of() - day_of(b.last_order_at) AS idle,
           CASE WHEN b.orders < 2 THEN 60 ELSE greatest(30, 2 * (day_of(b.last_order_at) - day_of(b.first_order_at)) // (b.orders - 1)) END AS idle_limit
    FROM everybody e LEFT JOIN person p USING (customer_id) LEFT JOIN bought b USING (customer_id) LEFT JOIN favourite f USING (customer_id)
    LEFT JOIN visited v USING (customer_id) LEFT JOIN reviewed r USING (customer_id)
), scored AS (
    SELECT *, coalesce(orders, 0) > 0 AS has_ordered,
           coalesce(orders, 0) > 0 AND idle > idle_limit AS no_order_for_long, coalesce(last_is_returned, FALSE) AS last_order_returned,
           coalesce(last_rating <= 2, FALSE) AS bad_review, coalesce(sessions >= 3 AND sessions_30d = 0, FALSE) AS visits_fell,
           CASE WHEN coalesce(orders, 0) = 0 THEN 0 WHEN idle <= 7 THEN 5 WHEN idle <= 30 THEN 4 WHEN idle <= 90 THEN 3 WHEN idle <= 180 THEN 2 ELSE 1 END AS r,
           CASE WHEN coalesce(orders, 0) = 0 THEN 0 WHEN orders = 1 THEN 1 WHEN orders = 2 THEN 2 WHEN orders <= 4 THEN 3 WHEN orders <= 8 THEN 4 ELSE 5 END AS f,
           CASE WHEN coalesce(lifetime_value, 0) <= 0 THEN 0 WHEN lifetime_value < 50 THEN 1 WHEN lifetime_value < 150 THEN 2
                WHEN lifetime_value < 400 THEN 3 WHEN lifetime_value < 1000 THEN 4 ELSE 5 END AS m
    FROM joined
), judged AS (
    SELECT *, 40 * no_order_for_long::INT + 25 * last_order_returned::INT + 20 * bad_review::INT + 15 * visits_fell::INT AS churn_score,
           list_filter([CASE WHEN no_order_for_long THEN '"no_order_for_long"' END, CASE WHEN last_order_returned THEN '"last_order_returned"' END,
                        CASE WHEN bad_review THEN '"bad_review"' END, CASE WHEN visits_fell THEN '"visits_fell"' END], lambda x: x IS NOT NULL) AS reasons
    FROM scored
)
SELECT customer_id, FALSE AS is_deleted, coalesce(is_known, FALSE) AS is_known, email_masked, country, tier, marketing_consent, first_order_at, last_order_at,
       coalesce(orders, 0) AS orders, coalesce(cancelled_orders, 0) AS cancelled_orders, coalesce(returned_orders, 0) AS returned_orders,
       CASE WHEN has_ordered THEN half_up(returned_orders * 10000, orders) * 0.0001 END AS return_rate, coalesce(units, 0) AS units,
       coalesce(lifetime_value, 0) AS lifetime_value, CASE WHEN kept > 0 THEN half_up(cents(lifetime_value), kept) * 0.01 END AS average_order_value,
       coalesce(other_currency_orders, 0) AS other_currency_orders, favourite_category, coalesce(sessions, 0) AS sessions,
       coalesce(sessions_7d, 0) AS sessions_7d, coalesce(sessions_30d, 0) AS sessions_30d, last_session_at, coalesce(abandoned_carts, 0) AS abandoned_carts,
       coalesce(reviews, 0) AS reviews, CASE WHEN rated > 0 THEN half_up(ratings * 10000, rated) * 0.0001 END AS average_rating,
       CASE WHEN scored > 0 THEN half_up(sentiments, scored) * 0.0001 END AS average_sentiment,
       greatest(last_order_at, last_session_at, last_review_at) AS last_contact_at, r AS recency_score, f AS frequency_score, m AS monetary_score,
       r || '' || f || '' || m AS rfm_cell, churn_score,
       CASE WHEN NOT has_ordered THEN 'none' WHEN churn_score >= 50 THEN 'high' WHEN churn_score >= 25 THEN 'medium' ELSE 'low' END AS churn_risk,
       '[' || array_to_string(reasons, ', ') || ']' AS churn_reasons
FROM judged
