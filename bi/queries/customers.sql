-- Customers that exist now, and how many versions the history of all customers has.
SELECT COUNT(CASE WHEN is_current AND NOT is_deleted THEN 1 END) AS customers_current,
       COUNT(*) AS customer_versions
FROM CORE.DIM_CUSTOMER
WHERE NOT is_inferred
