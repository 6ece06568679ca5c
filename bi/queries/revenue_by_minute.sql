-- What did each minute of the last hour bring?
-- Whole minutes of the last hour in EUR; net is without cancelled and returned orders. A minute without orders has no row.
SELECT minute, orders, web_orders, gross_revenue AS gross_eur, net_revenue AS net_eur
FROM MART.MART_REVENUE_MINUTE
WHERE currency = 'EUR' AND minute > DATEADD(minute, -60, SYSDATE())
ORDER BY minute DESC
