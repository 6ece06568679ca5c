SELECT review_id, FALSE AS is_deleted, product_id, customer_id, rating, title, body, language, reviewed_at, day, text_hash,
       sentiment, sentiment_label, sentiment_model, sentiment_error, scored_at
FROM said
