-- How many anonymous visits became known?
-- own: named in the visit itself; later, earlier: the same visitor was named in another visit; none: still nobody.
SELECT identity,
       COUNT(*) AS visits,
       ROUND(COUNT(*) / NULLIF(SUM(COUNT(*)) OVER (), 0), 3) AS share,
       COUNT(DISTINCT visitor_id) AS visitors,
       SUM(orders) AS orders,
       ROUND(COUNT(CASE WHEN orders > 0 THEN 1 END) / NULLIF(COUNT(*), 0), 3) AS conversion
FROM CORE.FCT_SESSIONS
GROUP BY identity
ORDER BY visits DESC, identity
