-- What did customers look at before they bought?
-- The categories viewed in a visit against those bought in it; an order belongs to a visit as docs/model.md V7 says. Products are filed as they
-- are now, what was viewed like what was bought; those without a category are left out. An order counts once for each pair.
WITH products AS (
    SELECT product_id, category FROM CORE.DIM_PRODUCT WHERE is_current AND category <> ''
),
orders AS (
    SELECT order_id, MAX(visitor_id) AS visitor_id, MAX(ordered_at) AS ordered_at
    FROM CORE.FCT_SALES
    WHERE COALESCE(status, '') <> 'cancelled' AND visitor_id IS NOT NULL
    GROUP BY order_id
),
begun AS (
    SELECT s.session_id, MIN(e.event_id) AS first_event_id
    FROM CORE.FCT_SESSIONS s
    JOIN CORE.FCT_PAGE_EVENTS e ON e.session_id = s.session_id AND e.occurred_at = s.started_at
    GROUP BY s.session_id
),
visits AS (
    SELECT o.order_id, o.ordered_at, s.session_id, s.ended_at
    FROM orders o
    JOIN CORE.FCT_SESSIONS s ON s.visitor_id = o.visitor_id AND s.started_at <= o.ordered_at
    JOIN begun b ON b.session_id = s.session_id
    QUALIFY ROW_NUMBER() OVER (PARTITION BY o.order_id ORDER BY s.started_at DESC, b.first_event_id DESC) = 1
),
viewed AS (
    SELECT DISTINCT v.order_id, p.category
    FROM visits v
    JOIN CORE.FCT_PAGE_EVENTS e ON e.session_id = v.session_id AND e.event_type = 'view'
    JOIN products p ON p.product_id = e.product_id
    WHERE v.ordered_at <= DATEADD(minute, 30, v.ended_at)
),
bought AS (
    SELECT DISTINCT s.order_id, p.category
    FROM CORE.FCT_SALES s
    JOIN products p ON p.product_id = s.product_id
),
seen AS (
    SELECT category, COUNT(*) AS orders FROM viewed GROUP BY category
)
SELECT v.category AS viewed_category,
       b.category AS bought_category,
       COUNT(*) AS orders,
       ROUND(COUNT(*) / NULLIF(MAX(s.orders), 0), 3) AS share_of_orders_that_viewed
FROM viewed v
JOIN bought b ON b.order_id = v.order_id
JOIN seen s ON s.category = v.category
GROUP BY v.category, b.category
ORDER BY v.category, orders DESC, b.category
