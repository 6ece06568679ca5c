SELECT c.event_id, FALSE AS is_deleted, v.session_id, c.visitor_id, CASE WHEN v.session_id IS NULL THEN c.customer_id ELSE v.customer_id END AS customer_id,
       CASE WHEN v.session_id IS NOT NULL THEN v.identity WHEN c.customer_id IS NULL THEN 'none' ELSE 'own' END AS identity,
       c.session_id AS source_session_id, c.customer_id AS source_customer_id, c.event_type, c.product_id, c.page, c.device, c.campaign_id,
       c.occurred_at, day_of(c.occurred_at) AS day
FROM clicks c LEFT JOIN numbered n ON n.event_id = c.event_id LEFT JOIN visits v ON v.visitor_id = n.visitor_id AND v.session_no = n.session_no
