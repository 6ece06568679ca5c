-- A customer's newest visits. Value: the customer's number.
SELECT session_id, started_at, duration_s, campaign_id, device, identity, views, searches, carts, checkouts, orders
FROM CORE.FCT_SESSIONS
WHERE customer_id = %s AND started_at IS NOT NULL
ORDER BY started_at DESC, session_id DESC
LIMIT 40
