WITH seen AS (
    SELECT o.order_id, v.campaign_id, v.session_id, v.started_at
    FROM orders o JOIN visits v
      ON CASE WHEN o.customer_id IS NOT NULL THEN v.customer_id = o.customer_id ELSE v.visitor_id = o.visitor_id END
    WHERE v.started_at <= o.ordered_at AND v.started_at > o.ordered_at - INTERVAL 720 HOUR
    UNION  -- once each
    SELECT p.order_id, v.campaign_id, v.session_id, v.started_at FROM placed p JOIN visits v USING (visitor_id, session_no)
), touches AS (
    SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY started_at, session_id) AS touch_no, count(*) OVER (PARTITION BY order_id) AS touches
    FROM seen WHERE campaign_id IS NOT NULL
)
SELECT o.order_id, coalesce(t.touch_no, 0) AS touch_no, FALSE AS is_deleted, coalesce(t.campaign_id, o.campaign_id, 'direct') AS campaign_id, t.session_id,
       t.started_at AS touched_at, coalesce(t.touches, 0) AS touches, o.customer_id, o.ordered_at, day_of(o.ordered_at) AS day, o.status, o.currency, o.amount,
       CASE WHEN coalesce(t.touch_no, 1) = 1 THEN o.amount ELSE 0 END AS first_touch,
       CASE WHEN t.touch_no IS NULL OR t.touch_no = t.touches THEN o.amount ELSE 0 END AS last_touch,
       CASE WHEN t.touch_no IS NULL THEN o.amount
            ELSE (floor_div(cents(o.amount) * t.touch_no, t.touches) - floor_div(cents(o.amount) * (t.touch_no - 1), t.touches)) * 0.01 END AS linear
FROM orders o LEFT JOIN touches t USING (order_id) WHERE o.ordered_at IS NOT NULL
