-- A customer's newest orders. Value: the customer's number.
SELECT order_id,
       MAX(ordered_at) AS ordered_at,
       MAX(status) AS status,
       MAX(currency) AS currency,
       MAX(source) AS source,
       MAX(campaign_id) AS campaign_id,
       SUM(sale_amount) AS amount,
       SUM(quantity) AS units,
       COUNT(*) AS lines
FROM CORE.FCT_SALES
WHERE customer_id = %s AND ordered_at IS NOT NULL
GROUP BY order_id
ORDER BY ordered_at DESC, order_id DESC
LIMIT 40
