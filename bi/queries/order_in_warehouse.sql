-- One order as an analyst finds it: its lines, and which version of the customer they refer to (SCD2 R21).
SELECT COUNT(*) AS lines,
       SUM(sale_amount) AS amount,
       MAX(status) AS status,
       MAX(customer_match) AS customer_match,
       MAX(customer_version_key) AS customer_version_key
FROM CORE.FCT_SALES
WHERE order_id = %s
