-- A customer's changes of tier, the first one being the account itself. Value: the customer's number.
SELECT valid_from, tier, tier_before
FROM (
    SELECT valid_from, tier, is_deleted,
           LAG(tier) OVER (ORDER BY seq_pos, seq_ord) AS tier_before,
           ROW_NUMBER() OVER (ORDER BY seq_pos, seq_ord) AS place
    FROM CORE.DIM_CUSTOMER
    WHERE customer_id = %s AND NOT is_inferred
)
WHERE NOT is_deleted AND (place = 1 OR tier IS DISTINCT FROM tier_before)
ORDER BY valid_from DESC
LIMIT 40
