-- Who is about to leave, and why?
-- The most valuable ones of the highest risk first. Reasons and points: docs/model.md M5.
SELECT customer_id,
       email_masked,
       tier,
       lifetime_value,
       orders,
       churn_risk,
       churn_score,
       churn_reasons
FROM MART.MART_CUSTOMER_360
WHERE churn_risk IN ('high', 'medium')
ORDER BY CASE churn_risk WHEN 'high' THEN 1 ELSE 2 END, lifetime_value DESC, customer_id
LIMIT 20
