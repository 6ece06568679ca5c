-- Customers with this number, also those whose current version is gone or never came, then those with the text in name or e-mail; one row
-- more than the page shows. Values: number or NULL, lower-case text.
WITH asked AS (SELECT CAST(%s AS BIGINT) AS number, %s AS part),
     known AS (SELECT customer_id, full_name, email, city, country, tier FROM CORE.DIM_CUSTOMER WHERE is_current AND NOT is_deleted),
     found AS (
         SELECT m.customer_id FROM MART.MART_CUSTOMER_360 m JOIN asked a ON m.customer_id = a.number
         UNION
         SELECT k.customer_id
         FROM known k
         JOIN asked a ON k.customer_id = a.number OR CONTAINS(LOWER(k.full_name), a.part) OR CONTAINS(LOWER(k.email), a.part)
     )
SELECT f.customer_id, k.full_name, k.city, m.email_masked,
       COALESCE(k.country, m.country) AS country,
       COALESCE(k.tier, m.tier) AS tier,
       m.lifetime_value, m.orders, m.churn_risk, m.churn_reasons
FROM found f
LEFT JOIN asked a ON a.number = f.customer_id
LEFT JOIN known k ON k.customer_id = f.customer_id
LEFT JOIN MART.MART_CUSTOMER_360 m ON m.customer_id = f.customer_id
ORDER BY CASE WHEN a.number IS NULL THEN 1 ELSE 0 END, m.lifetime_value DESC NULLS LAST, f.customer_id
LIMIT 11
