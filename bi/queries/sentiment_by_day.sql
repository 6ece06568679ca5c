-- How do customers feel, day by day?
-- Sentiment of the words from -1 to 1, of the reviews that are scored; the newest 30 days with a review.
SELECT day,
       SUM(reviews) AS reviews,
       SUM(scored_reviews) AS scored_reviews,
       ROUND(SUM(sentiment_sum) / NULLIF(SUM(scored_reviews), 0), 3) AS average_sentiment,
       ROUND(SUM(rating_sum) / NULLIF(SUM(rated_reviews), 0), 2) AS average_rating
FROM MART.MART_PRODUCT_PULSE
GROUP BY day
HAVING SUM(reviews) > 0
ORDER BY day DESC
LIMIT 30
