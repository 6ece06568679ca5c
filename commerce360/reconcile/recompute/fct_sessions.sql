SELECT session_id, FALSE AS is_deleted, visitor_id, customer_id, identity, started_at, ended_at, day,
       floor_div(epoch_us(ended_at) - epoch_us(started_at), 1000000) AS duration_s,
       events, views, searches, carts, checkouts, logins, products, landing_page, exit_page, device, campaign_id, orders
FROM visits
