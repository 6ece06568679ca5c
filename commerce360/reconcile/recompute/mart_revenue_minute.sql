SELECT date_trunc('minute', ordered_at) AS minute, coalesce(currency, 'XXX') AS currency, count(*) AS orders,
       count(*) FILTER (source = 'web') AS web_orders, count(*) FILTER (is_cancelled) AS cancelled_orders,
       count(*) FILTER (is_returned) AS returned_orders, sum(units) AS units, sum(amount) AS gross_revenue,
       coalesce(sum(amount) FILTER (NOT is_cancelled AND NOT is_returned), 0) AS net_revenue
FROM orders WHERE ordered_at IS NOT NULL GROUP BY 1, 2
