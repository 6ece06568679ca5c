-- Ten customers worth a look: the highest risk first, and of these the most valuable.
SELECT m.customer_id, c.full_name, c.city, m.email_masked, m.country, m.tier, m.lifetime_value, m.orders, m.churn_risk, m.churn_reasons
FROM (
    SELECT * FROM MART.MART_CUSTOMER_360
    ORDER BY CASE churn_risk WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END, lifetime_value DESC, customer_id
    LIMIT 10
) m
LEFT JOIN CORE.DIM_CUSTOMER c ON c.customer_id = m.customer_id AND c.is_current AND NOT c.is_deleted
ORDER BY CASE m.churn_risk WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END, m.lifetime_value DESC, m.customer_id
