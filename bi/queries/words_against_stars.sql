-- Where do the words disagree with the stars?
-- Praise beside one or two stars (sarcasm?), and complaints beside four or five. Reviews that nobody scored yet are left out.
SELECT r.review_id,
       r.rating,
       r.sentiment,
       r.sentiment_label,
       r.language,
       r.title,
       r.body,
       CASE WHEN r.rating <= 2 THEN 'praise with few stars' ELSE 'complaint with many stars' END AS suspicion,
       COUNT(*) OVER () AS disagreeing_reviews
FROM CORE.FCT_REVIEWS r
WHERE (r.rating <= 2 AND r.sentiment >= 0.3) OR (r.rating >= 4 AND r.sentiment <= -0.3)
ORDER BY ABS(r.sentiment - (r.rating - 3) / 2) DESC, r.review_id
LIMIT 20
