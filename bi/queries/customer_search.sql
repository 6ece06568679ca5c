-- Customers by number, or by a part of name or e-mail; one row more than the page shows. Values: number or NULL, lower-case text twice.
SELECT c.customer_id, c.full_name, c.city, m.email_masked, c.country, c.tier, m.lifetime_value, m.orders, m.churn_risk, m.churn_reasons
FROM (
    SELECT customer_id, full_name, city, country, tier
    FROM CORE.DIM_CUSTOMER
    WHERE is_current AND NOT is_deleted
      AND (customer_id = CAST(%s AS BIGINT) OR CONTAINS(LOWER(full_name), %s) OR CONTAINS(LOWER(email), %s))
) c
LEFT JOIN MART.MART_CUSTOMER_360 m ON m.customer_id = c.customer_id
ORDER BY m.lifetime_value DESC NULLS LAST, c.customer_id
LIMIT 11
