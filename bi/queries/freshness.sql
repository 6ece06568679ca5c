-- The newest that can be read here, stream by stream and hop by hop.
-- Of each stream the newest readable row: changed at the source, appended to Kafka; then the newest complete lake batch of all streams, and now, when
-- it is read. behind_s is the age in seconds, by clocks of several machines; a stream in which nothing happens grows old on its first two hops.
WITH streams AS (
    SELECT 'sales' AS stream, MAX(event_ts) AS event_at, MAX(kafka_ts) AS kafka_at FROM CORE.FCT_SALES
    UNION ALL
    SELECT 'page events', MAX(event_ts), MAX(kafka_ts) FROM CORE.FCT_PAGE_EVENTS
    UNION ALL
    SELECT 'reviews', MAX(event_ts), MAX(kafka_ts) FROM CORE.FCT_REVIEWS
    UNION ALL
    SELECT 'customers', MAX(event_ts), MAX(kafka_ts) FROM CORE.DIM_CUSTOMER
    UNION ALL
    SELECT 'products', MAX(event_ts), MAX(kafka_ts) FROM CORE.DIM_PRODUCT
),
hops AS (
    SELECT stream, 1 AS hop_no, 'changed at the source' AS hop, event_at AS newest_at FROM streams
    UNION ALL
    SELECT stream, 2, 'in Kafka', kafka_at FROM streams
    UNION ALL
    SELECT s.stream, 3, 'in the lake', f.committed_at FROM streams s CROSS JOIN OPS.FRESHNESS f WHERE s.kafka_at IS NOT NULL
    UNION ALL
    SELECT stream, 4, 'readable here', SYSDATE() FROM streams WHERE kafka_at IS NOT NULL
)
SELECT stream,
       hop_no,
       hop,
       newest_at,
       ROUND(DATEDIFF(millisecond, newest_at, SYSDATE()) / 1000, 1) AS behind_s
FROM hops
WHERE newest_at IS NOT NULL
ORDER BY stream, hop_no
