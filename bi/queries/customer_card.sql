-- One customer: the row of the mart, and name and city of the current version where there is one. Values: the customer's number, twice.
SELECT m.*, c.full_name, c.city
FROM MART.MART_CUSTOMER_360 m
LEFT JOIN (SELECT customer_id, full_name, city FROM CORE.DIM_CUSTOMER WHERE customer_id = %s AND is_current AND NOT is_deleted) c
    ON c.customer_id = m.customer_id
WHERE m.customer_id = %s
