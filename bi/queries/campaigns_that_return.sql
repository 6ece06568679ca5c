-- Which campaign brings customers who return goods?
-- Only orders that are past being sent can come back: placed and paid ones are left out of the rate.
WITH orders AS (
    SELECT order_id, MAX(COALESCE(NULLIF(campaign_id, ''), 'direct')) AS campaign_id, MAX(status) AS status
    FROM CORE.FCT_SALES
    GROUP BY order_id
),
rates AS (
    SELECT campaign_id,
           COUNT(CASE WHEN status IN ('shipped', 'returned') THEN 1 END) AS sent_orders,
           COUNT(CASE WHEN status = 'returned' THEN 1 END) AS returned_orders
    FROM orders
    GROUP BY campaign_id
)
SELECT r.campaign_id,
       COALESCE(c.channel, 'none') AS channel,
       r.sent_orders,
       r.returned_orders,
       ROUND(r.returned_orders / NULLIF(r.sent_orders, 0), 4) AS return_rate,
       ROUND((r.returned_orders / NULLIF(r.sent_orders, 0))
             / NULLIF(MAX(CASE WHEN r.campaign_id = 'direct' THEN r.returned_orders / NULLIF(r.sent_orders, 0) END) OVER (), 0), 2)
           AS against_direct
FROM rates r
LEFT JOIN CORE.DIM_CAMPAIGN c ON c.campaign_id = r.campaign_id
ORDER BY return_rate DESC NULLS LAST, r.campaign_id
