-- What the marts are made of, and nothing yet of how: docs/model.md V, S. `zone`, `as_of`, `currency`, `first_time`,
-- `last_time`, `least_rating`, `most_rating` are macros of the caller.
CREATE MACRO day_of(t) AS CAST(t AT TIME ZONE zone() AS DATE);
-- part / whole, rounded half up and away from zero, in units of the last digit
CREATE MACRO half_up(part, whole) AS sign(part) * ((2 * abs(part)::HUGEINT + whole) // (2 * whole));
CREATE MACRO floor_div(a, n) AS (a - ((a % n) + n) % n) // n;
CREATE MACRO cents(amount) AS CAST(amount * 100 AS HUGEINT);
CREATE MACRO bounded(value, lowest, highest) AS CASE WHEN value < lowest THEN lowest WHEN value > highest THEN highest ELSE value END;
CREATE MACRO bounded_time(t) AS bounded(t, first_time(), last_time());

CREATE TABLE clicks AS SELECT * REPLACE (bounded_time(occurred_at) AS occurred_at) FROM clickstream WHERE NOT is_deleted;

CREATE TABLE orders AS
SELECT order_id, any_value(customer_id) AS customer_id, nullif(any_value(visitor_id), '') AS visitor_id,
       bounded_time(any_value(ordered_at)) AS ordered_at, any_value(status) AS status, nullif(any_value(currency), '') AS currency,
       nullif(any_value(campaign_id), '') AS campaign_id, any_value(source) AS source,
       coalesce(any_value(status) = 'cancelled', FALSE) AS is_cancelled, coalesce(any_value(status) = 'returned', FALSE) AS is_returned,
       coalesce(any_value(currency) = currency(), FALSE) AS is_ours,
       sum(coalesce(sale_amount, 0)) AS amount, CAST(sum(coalesce(quantity, 0)) AS BIGINT) AS units
FROM sales GROUP BY order_id;

CREATE TABLE numbered AS
WITH gaps AS (
    SELECT *, coalesce(occurred_at - lag(occurred_at) OVER w > INTERVAL 30 MINUTE, TRUE) AS is_after_gap
    FROM clicks WHERE visitor_id <> '' AND occurred_at IS NOT NULL
    WINDOW w AS (PARTITION BY visitor_id ORDER BY occurred_at, event_id)
), islands AS (
    SELECT *, sum(CAST(is_after_gap AS INT)) OVER (PARTITION BY visitor_id ORDER BY occurred_at, event_id) AS island FROM gaps
), named AS (
    SELECT *, last_value(customer_id IGNORE NULLS) OVER (
        PARTITION BY visitor_id, island ORDER BY occurred_at, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS named_before
    FROM islands
)
SELECT *, sum(CASE WHEN is_after_gap OR coalesce(customer_id <> named_before, FALSE) THEN 1 ELSE 0 END)
    OVER (PARTITION BY visitor_id ORDER BY occurred_at, event_id) AS session_no
FROM named;

CREATE TABLE known AS
WITH grouped AS (
    SELECT visitor_id, session_no, max(customer_id) AS named, min(occurred_at) AS started_at, max(occurred_at) AS ended_at, count(*) AS events,
           first(event_id ORDER BY occurred_at, event_id) AS first_event,
           count(*) FILTER (event_type = 'view') AS views, count(*) FILTER (event_type = 'search') AS searches,
           count(*) FILTER (event_type = 'cart') AS carts, count(*) FILTER (event_type = 'checkout') AS checkouts,
           count(*) FILTER (event_type = 'login') AS logins, count(DISTINCT product_id) FILTER (event_type = 'view') AS products,
           first(page ORDER BY occurred_at, event_id) AS landing_page, last(page ORDER BY occurred_at, event_id) AS exit_page,
           first(device ORDER BY occurred_at, event_id) FILTER (device <> '') AS device,
           first(campaign_id ORDER BY occurred_at, event_id) FILTER (campaign_id <> '') AS campaign_id
    FROM numbered GROUP BY visitor_id, session_no
)
SELECT *, first_value(named IGNORE NULLS) OVER (PARTITION BY visitor_id ORDER BY session_no ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS later,
       last_value(named IGNORE NULLS) OVER (PARTITION BY visitor_id ORDER BY session_no ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
FROM grouped;

CREATE TABLE placed AS  -- the session of each order (V7)
SELECT o.order_id, o.is_cancelled, k.visitor_id, k.session_no
FROM orders o JOIN known k ON k.visitor_id = o.visitor_id AND k.started_at <= o.ordered_at
QUALIFY row_number() OVER (PARTITION BY o.order_id ORDER BY k.session_no DESC) = 1 AND o.ordered_at - k.ended_at <= INTERVAL 30 MINUTE;

CREATE TABLE visits AS
SELECT substr(sha256(length(k.visitor_id) || '|' || k.visitor_id || '|' || k.first_event), 1, 32) AS session_id, k.*, coalesce(named, later, earlier) AS customer_id,
       CASE WHEN named IS NOT NULL THEN 'own' WHEN later IS NOT NULL THEN 'later' WHEN earlier IS NOT NULL THEN 'earlier' ELSE 'none' END AS identity,
       day_of(k.started_at) AS day, coalesce(p.orders, 0) AS orders
FROM known k LEFT JOIN (SELECT visitor_id, session_no, count(*) AS orders FROM placed WHERE NOT is_cancelled GROUP BY ALL) p USING (visitor_id, session_no);

CREATE TABLE said AS
WITH meant AS (
    SELECT * REPLACE (bounded_time(reviewed_at) AS reviewed_at, bounded(rating, least_rating(), most_rating()) AS rating) FROM reviews WHERE NOT is_deleted
), texts AS (
    SELECT *, substr(sha256(coalesce(title, '') || chr(10) || coalesce(body, '')), 1, 32) AS text_hash, day_of(reviewed_at) AS day FROM meant
)
SELECT t.*, s.score AS sentiment, s.label AS sentiment_label, s.model || '/' || s.model_version AS sentiment_model, s.error AS sentiment_error, s.scored_at
FROM texts t LEFT JOIN (
    SELECT * FROM sentiments
    QUALIFY row_number() OVER (PARTITION BY text_hash, language ORDER BY error IS NULL DESC, scored_at DESC, model DESC, model_version DESC) = 1
) s ON s.text_hash = t.text_hash AND s.language = coalesce(t.language, '');
