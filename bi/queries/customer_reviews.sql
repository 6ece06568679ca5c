-- A customer's newest reviews with the sentiment of their words. Value: the customer's number.
SELECT r.review_id, r.reviewed_at, r.rating, r.title, r.body, r.language, r.sentiment, r.sentiment_label, r.sentiment_error, p.name AS product
FROM (
    SELECT * FROM CORE.FCT_REVIEWS WHERE customer_id = %s AND reviewed_at IS NOT NULL ORDER BY reviewed_at DESC, review_id DESC LIMIT 40
) r
LEFT JOIN CORE.DIM_PRODUCT p ON p.product_id = r.product_id AND p.is_current
ORDER BY r.reviewed_at DESC, r.review_id DESC
