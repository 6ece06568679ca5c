-- Made from schemas/ by `make docs`: change it there.

CREATE OR REPLACE VIEW {{ database }}.CORE.DIM_CUSTOMER (
  "CUSTOMER_ID" COMMENT 'NULL for a truncate',
  "SEQ_POS" COMMENT 'position of the change (SCD2 R3)',
  "SEQ_ORD" COMMENT 'ordinal of the change (SCD2 R3)',
  "OP" COMMENT 'c, u, r, d or t',
  "EMAIL" WITH MASKING POLICY {{ database }}.OPS.MASK_EMAIL COMMENT 'address as the shop has it; personal',
  "FULL_NAME" WITH MASKING POLICY {{ database }}.OPS.MASK_TEXT COMMENT 'first and last name; personal',
  "CITY" WITH MASKING POLICY {{ database }}.OPS.MASK_TEXT COMMENT 'where the customer lives; personal',
  "COUNTRY" COMMENT 'ISO 3166-1 alpha-2',
  "TIER" COMMENT 'level of the loyalty programme',
  "MARKETING_CONSENT" COMMENT 'agreed to be written to',
  "POINTS" COMMENT 'last value inside the version',
  "LAST_LOGIN_AT" COMMENT 'last value inside the version',
  "VERSION_KEY" COMMENT 'key of the version this change begins (SCD2 R20)',
  "VALID_FROM" COMMENT 'begin of the version: effective time of its change',
  "VALID_TO" COMMENT 'NULL while open',
  "IS_CURRENT" COMMENT 'the newest version of its key',
  "IS_VISIBLE" COMMENT 'this change begins a version; others are kept for the fold',
  "IS_DELETED" COMMENT 'the source row is gone with this change',
  "CLOSED_BY" COMMENT 'change, delete, move or truncate',
  "UNRESOLVED" COMMENT 'JSON list of columns whose value was never sent',
  "MOVED_FROM" COMMENT 'key that the source row had before, where its key changed; JSON',
  "MOVED_TO" COMMENT 'key that the source row got, where its key changed; JSON',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row',
  "IS_INFERRED" COMMENT 'no change of this customer is known: only facts name it (SCD2 R22)'
)
WITH ROW ACCESS POLICY {{ database }}.OPS.BY_COUNTRY ON (COUNTRY)
COPY GRANTS
COMMENT = 'Customer history (SCD2): one row per change; rows with is_visible are the versions.'
AS
SELECT "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD", "OP", "EMAIL", "FULL_NAME", "CITY", "COUNTRY", "TIER", "MARKETING_CONSENT", "POINTS",
"LAST_LOGIN_AT", "VERSION_KEY", "VALID_FROM", "VALID_TO", "IS_CURRENT", "IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM",
"MOVED_TO", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID", FALSE AS is_inferred FROM (SELECT * FROM (SELECT "CUSTOMER_ID", "SEQ_POS",
"SEQ_ORD", "OP", "EMAIL", "FULL_NAME", "CITY", "COUNTRY", "TIER", "MARKETING_CONSENT", "POINTS", "LAST_LOGIN_AT", "VERSION_KEY",
"VALID_FROM", "VALID_TO", "IS_CURRENT", "IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM", "MOVED_TO", "EVENT_TS",
"KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD" ORDER BY "BATCH_ID"
DESC) AS newest_rank FROM RAW.DIM_CUSTOMER WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1)
AS newest WHERE is_visible) AS versions UNION ALL SELECT facts."CUSTOMER_ID" AS "CUSTOMER_ID", 0 AS "SEQ_POS", 0 AS "SEQ_ORD", 'i' AS "OP",
CAST(NULL AS VARCHAR) AS "EMAIL", CAST(NULL AS VARCHAR) AS "FULL_NAME", CAST(NULL AS VARCHAR) AS "CITY", CAST(NULL AS VARCHAR) AS "COUNTRY",
CAST(NULL AS VARCHAR) AS "TIER", CAST(NULL AS BOOLEAN) AS "MARKETING_CONSENT", CAST(NULL AS NUMBER(38,0)) AS "POINTS", CAST(NULL AS
TIMESTAMP_NTZ(6)) AS "LAST_LOGIN_AT", SUBSTR(SHA2(CONCAT(REPLACE(REPLACE(CAST(facts."CUSTOMER_ID" AS VARCHAR), CHR(92), CONCAT(CHR(92),
CHR(92))), '|', CONCAT(CHR(92), '|')), '@inferred'), 256), 1, 32) AS "VERSION_KEY", CAST(NULL AS TIMESTAMP_NTZ(6)) AS "VALID_FROM",
CAST(NULL AS TIMESTAMP_NTZ(6)) AS "VALID_TO", TRUE AS "IS_CURRENT", TRUE AS "IS_VISIBLE", FALSE AS "IS_DELETED", CAST(NULL AS VARCHAR) AS
"CLOSED_BY", '[]' AS "UNRESOLVED", CAST(NULL AS VARCHAR) AS "MOVED_FROM", CAST(NULL AS VARCHAR) AS "MOVED_TO", CAST(NULL AS
TIMESTAMP_NTZ(6)) AS "EVENT_TS", CAST(NULL AS TIMESTAMP_NTZ(6)) AS "KAFKA_TS", CAST(NULL AS VARCHAR) AS "ORIGIN", facts.batch_id AS
"BATCH_ID", TRUE AS is_inferred FROM (SELECT "CUSTOMER_ID" AS "CUSTOMER_ID", MAX(batch_id) AS batch_id FROM (SELECT * FROM (SELECT
"ORDER_ID", "LINE_NO", "SOURCE", "CUSTOMER_ID", "PRODUCT_ID", "ORDERED_AT", "STATUS", "CURRENCY", "CAMPAIGN_ID", "VISITOR_ID", "QUANTITY",
"UNIT_PRICE", "DISCOUNT", "SALE_AMOUNT", "UNIT_COST", "COST", "IS_COMPLETE", "IS_DELETED", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM
(SELECT *, ROW_NUMBER() OVER (PARTITION BY "ORDER_ID", "LINE_NO" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.FCT_SALES WHERE BATCH_ID
<= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE line_no > 0 AND is_complete AND NOT
is_deleted) AS f WHERE "CUSTOMER_ID" IS NOT NULL GROUP BY "CUSTOMER_ID") AS facts LEFT JOIN (SELECT DISTINCT "CUSTOMER_ID" FROM (SELECT *
FROM (SELECT "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD", "OP", "EMAIL", "FULL_NAME", "CITY", "COUNTRY", "TIER", "MARKETING_CONSENT", "POINTS",
"LAST_LOGIN_AT", "VERSION_KEY", "VALID_FROM", "VALID_TO", "IS_CURRENT", "IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM",
"MOVED_TO", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD"
ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.DIM_CUSTOMER WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked
WHERE newest_rank = 1) AS newest WHERE is_visible) AS v) AS known ON known."CUSTOMER_ID" = facts."CUSTOMER_ID" WHERE known."CUSTOMER_ID" IS
NULL;

CREATE OR REPLACE VIEW {{ database }}.CORE.DIM_PRODUCT (
  "PRODUCT_ID" COMMENT 'NULL for a truncate',
  "SEQ_POS" COMMENT 'position of the change (SCD2 R3)',
  "SEQ_ORD" COMMENT 'ordinal of the change (SCD2 R3)',
  "OP" COMMENT 'c, u, r, d or t',
  "CATEGORY" COMMENT 'shelf that the product is filed under',
  "PRICE" COMMENT 'list price of one unit, in the shop''s currency',
  "SKU" COMMENT 'the shop''s own article number',
  "NAME" COMMENT 'as the shop shows it; last value inside the version',
  "DESCRIPTION" COMMENT 'as the shop shows it; last value inside the version',
  "COST" COMMENT 'what one unit costs the shop',
  "ACTIVE" COMMENT 'can be ordered',
  "VERSION_KEY" COMMENT 'key of the version this change begins (SCD2 R20)',
  "VALID_FROM" COMMENT 'begin of the version: effective time of its change',
  "VALID_TO" COMMENT 'NULL while open',
  "IS_CURRENT" COMMENT 'the newest version of its key',
  "IS_VISIBLE" COMMENT 'this change begins a version; others are kept for the fold',
  "IS_DELETED" COMMENT 'the source row is gone with this change',
  "CLOSED_BY" COMMENT 'change, delete, move or truncate',
  "UNRESOLVED" COMMENT 'JSON list of columns whose value was never sent',
  "MOVED_FROM" COMMENT 'key that the source row had before, where its key changed; JSON',
  "MOVED_TO" COMMENT 'key that the source row got, where its key changed; JSON',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Product history (SCD2): one row per change; rows with is_visible are the versions.'
AS
SELECT * FROM (SELECT "PRODUCT_ID", "SEQ_POS", "SEQ_ORD", "OP", "CATEGORY", "PRICE", "SKU", "NAME", "DESCRIPTION", "COST", "ACTIVE",
"VERSION_KEY", "VALID_FROM", "VALID_TO", "IS_CURRENT", "IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM", "MOVED_TO",
"EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "PRODUCT_ID", "SEQ_POS", "SEQ_ORD" ORDER BY
"BATCH_ID" DESC) AS newest_rank FROM RAW.DIM_PRODUCT WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE
newest_rank = 1) AS newest WHERE is_visible;

CREATE OR REPLACE VIEW {{ database }}.CORE.DIM_DATE (
  "DATE_KEY" COMMENT 'yyyymmdd',
  "DATE" COMMENT 'the day',
  "YEAR" COMMENT 'calendar year',
  "QUARTER" COMMENT '1 to 4',
  "MONTH" COMMENT '1 to 12',
  "MONTH_NAME" COMMENT 'English',
  "DAY" COMMENT 'of the month',
  "DAY_OF_WEEK" COMMENT 'ISO: Monday is 1',
  "DAY_NAME" COMMENT 'English',
  "ISO_YEAR" COMMENT 'year of the ISO week',
  "ISO_WEEK" COMMENT '1 to 53',
  "IS_WEEKEND" COMMENT 'Saturday or Sunday',
  "FISCAL_YEAR" COMMENT 'named after the calendar year in which it ends',
  "FISCAL_QUARTER" COMMENT '1 to 4, within the fiscal year',
  "FISCAL_MONTH" COMMENT '1 to 12, within the fiscal year',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Calendar, one row a day.'
AS
SELECT "DATE_KEY", "DATE", "YEAR", "QUARTER", "MONTH", "MONTH_NAME", "DAY", "DAY_OF_WEEK", "DAY_NAME", "ISO_YEAR", "ISO_WEEK", "IS_WEEKEND",
"FISCAL_YEAR", "FISCAL_QUARTER", "FISCAL_MONTH", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "DATE_KEY" ORDER BY "BATCH_ID"
DESC) AS newest_rank FROM RAW.DIM_DATE WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1;

CREATE OR REPLACE VIEW {{ database }}.CORE.DIM_HOLIDAY (
  "DATE_KEY" COMMENT 'yyyymmdd',
  "COUNTRY" COMMENT 'ISO 3166-1 alpha-2',
  "DATE" COMMENT 'the day',
  "NAME" COMMENT 'English where the library has it, else the country''s own; several on one day with semicolons between',
  "IS_OBSERVED" COMMENT 'kept on this day because the holiday''s own day is no working day',
  "IS_DELETED" COMMENT 'no holiday any more: another list of countries, or the library knows better',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Public holidays of whole countries, one row a day and country; those of a region only are not here.'
AS
SELECT * FROM (SELECT "DATE_KEY", "COUNTRY", "DATE", "NAME", "IS_OBSERVED", "IS_DELETED", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER
(PARTITION BY "DATE_KEY", "COUNTRY" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.DIM_HOLIDAY WHERE BATCH_ID <= (SELECT MAX(BATCH_ID)
FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE NOT is_deleted;

CREATE OR REPLACE VIEW {{ database }}.CORE.DIM_CAMPAIGN (
  "CAMPAIGN_ID" COMMENT 'as sessions and orders name it',
  "NAME" COMMENT 'for people; NULL for an inferred one',
  "CHANNEL" COMMENT 'email, search, social, onsite, partner',
  "DISCOUNT_PERCENT" COMMENT 'off the list price of its orders',
  "IS_INFERRED" COMMENT 'only facts know it',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Campaigns: those of schemas/campaigns.yaml, and one row for each other that a session or an order names.'
AS
SELECT "CAMPAIGN_ID", "NAME", "CHANNEL", "DISCOUNT_PERCENT", "IS_INFERRED", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY
"CAMPAIGN_ID" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.DIM_CAMPAIGN WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES))
AS ranked WHERE newest_rank = 1;

CREATE OR REPLACE VIEW {{ database }}.CORE.FCT_SALES (
  "ORDER_ID" COMMENT 'the order, of either source',
  "LINE_NO" COMMENT 'line of the order, from 1; 0 is the header',
  "SOURCE" COMMENT 'web when the web shop announced the order, else oltp',
  "CUSTOMER_ID" COMMENT 'who ordered; NULL for a guest',
  "PRODUCT_ID" COMMENT 'what was ordered',
  "ORDERED_AT" COMMENT 'when the order was placed',
  "STATUS" COMMENT 'placed, paid, shipped, cancelled, returned',
  "CURRENCY" COMMENT 'ISO 4217',
  "CAMPAIGN_ID" COMMENT 'campaign that the order names',
  "VISITOR_ID" COMMENT 'cookie of the browser that ordered; NULL at the counter',
  "QUANTITY" COMMENT 'units ordered',
  "UNIT_PRICE" COMMENT 'price of one unit, in the order''s currency',
  "DISCOUNT" COMMENT 'taken off the whole line',
  "SALE_AMOUNT" COMMENT 'quantity * unit_price - discount',
  "UNIT_COST" COMMENT 'known once the back office booked the line',
  "COST" COMMENT 'quantity * unit_cost',
  "IS_COMPLETE" COMMENT 'header and line are both known',
  "IS_DELETED" COMMENT 'the line or its order is gone',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row',
  "DAY" COMMENT 'of ordered_at, in the shop''s zone (Europe/Berlin)',
  "CUSTOMER_VERSION_KEY" COMMENT 'the customer''s version in force at ordered_at (SCD2 R21)',
  "CUSTOMER_MATCH" COMMENT 'exact, early, gap, inferred or none',
  "PRODUCT_VERSION_KEY" COMMENT 'the product''s version in force at ordered_at (SCD2 R21)',
  "PRODUCT_MATCH" COMMENT 'exact, early, gap, inferred or none'
)
COPY GRANTS
COMMENT = 'Sales at order-line grain. Row line_no = 0 holds the header of an order whose lines are not all here; readers skip it.'
AS
WITH s AS (SELECT * FROM (SELECT "ORDER_ID", "LINE_NO", "SOURCE", "CUSTOMER_ID", "PRODUCT_ID", "ORDERED_AT", "STATUS", "CURRENCY",
"CAMPAIGN_ID", "VISITOR_ID", "QUANTITY", "UNIT_PRICE", "DISCOUNT", "SALE_AMOUNT", "UNIT_COST", "COST", "IS_COMPLETE", "IS_DELETED",
"EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "ORDER_ID", "LINE_NO" ORDER BY "BATCH_ID" DESC)
AS newest_rank FROM RAW.FCT_SALES WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest
WHERE line_no > 0 AND is_complete AND NOT is_deleted), c AS (SELECT "CUSTOMER_ID", version_key, valid_from, valid_to, CASE WHEN ROW_NUMBER()
OVER (PARTITION BY "CUSTOMER_ID" ORDER BY valid_from) = 1 THEN NULL ELSE valid_from END AS target_from, LEAD(valid_from) OVER (PARTITION BY
"CUSTOMER_ID" ORDER BY valid_from) AS target_to FROM (SELECT * FROM (SELECT "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD", "OP", "EMAIL", "FULL_NAME",
"CITY", "COUNTRY", "TIER", "MARKETING_CONSENT", "POINTS", "LAST_LOGIN_AT", "VERSION_KEY", "VALID_FROM", "VALID_TO", "IS_CURRENT",
"IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM", "MOVED_TO", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT
*, ROW_NUMBER() OVER (PARTITION BY "CUSTOMER_ID", "SEQ_POS", "SEQ_ORD" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.DIM_CUSTOMER WHERE
BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE is_visible) AS v), p AS (SELECT
"PRODUCT_ID", version_key, valid_from, valid_to, CASE WHEN ROW_NUMBER() OVER (PARTITION BY "PRODUCT_ID" ORDER BY valid_from) = 1 THEN NULL
ELSE valid_from END AS target_from, LEAD(valid_from) OVER (PARTITION BY "PRODUCT_ID" ORDER BY valid_from) AS target_to FROM (SELECT * FROM
(SELECT "PRODUCT_ID", "SEQ_POS", "SEQ_ORD", "OP", "CATEGORY", "PRICE", "SKU", "NAME", "DESCRIPTION", "COST", "ACTIVE", "VERSION_KEY",
"VALID_FROM", "VALID_TO", "IS_CURRENT", "IS_VISIBLE", "IS_DELETED", "CLOSED_BY", "UNRESOLVED", "MOVED_FROM", "MOVED_TO", "EVENT_TS",
"KAFKA_TS", "ORIGIN", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "PRODUCT_ID", "SEQ_POS", "SEQ_ORD" ORDER BY "BATCH_ID"
DESC) AS newest_rank FROM RAW.DIM_PRODUCT WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1)
AS newest WHERE is_visible) AS v) SELECT s.order_id, s.line_no, s.source, s.customer_id, s.product_id, s.ordered_at, s.status, s.currency,
s.campaign_id, s.visitor_id, s.quantity, s.unit_price, s.discount, s.sale_amount, s.unit_cost, s.cost, s.is_complete, s.is_deleted,
s.event_ts, s.kafka_ts, s.origin, s.batch_id, CAST(CONVERT_TIMEZONE('UTC', 'Europe/Berlin', s.ordered_at) AS DATE) AS day,
COALESCE(c.version_key, CASE WHEN s."CUSTOMER_ID" IS NOT NULL AND s."ORDERED_AT" IS NOT NULL THEN
SUBSTR(SHA2(CONCAT(REPLACE(REPLACE(CAST(s."CUSTOMER_ID" AS VARCHAR), CHR(92), CONCAT(CHR(92), CHR(92))), '|', CONCAT(CHR(92), '|')),
'@inferred'), 256), 1, 32) END) AS customer_version_key, CASE WHEN s."CUSTOMER_ID" IS NULL OR s."ORDERED_AT" IS NULL THEN 'none' WHEN
c.version_key IS NULL THEN 'inferred' WHEN s."ORDERED_AT" < c.valid_from THEN 'early' WHEN c.valid_to IS NULL OR s."ORDERED_AT" < c.valid_to
THEN 'exact' ELSE 'gap' END AS customer_match, p.version_key AS product_version_key, CASE WHEN s."PRODUCT_ID" IS NULL OR s."ORDERED_AT" IS
NULL THEN 'none' WHEN p.version_key IS NULL THEN 'inferred' WHEN s."ORDERED_AT" < p.valid_from THEN 'early' WHEN p.valid_to IS NULL OR
s."ORDERED_AT" < p.valid_to THEN 'exact' ELSE 'gap' END AS product_match FROM s LEFT JOIN c ON c."CUSTOMER_ID" = s."CUSTOMER_ID" AND
(c.target_from IS NULL OR s."ORDERED_AT" >= c.target_from) AND (c.target_to IS NULL OR s."ORDERED_AT" < c.target_to) AND s."ORDERED_AT" IS
NOT NULL LEFT JOIN p ON p."PRODUCT_ID" = s."PRODUCT_ID" AND (p.target_from IS NULL OR s."ORDERED_AT" >= p.target_from) AND (p.target_to IS
NULL OR s."ORDERED_AT" < p.target_to) AND s."ORDERED_AT" IS NOT NULL;

CREATE OR REPLACE VIEW {{ database }}.CORE.FCT_SALES_MOVES (
  "ORDER_ID" COMMENT 'of the sale',
  "LINE_NO" COMMENT 'of the sale',
  "DIMENSION" COMMENT 'dim_customer or dim_product',
  "SOURCE_KEY" COMMENT 'customer_id or product_id of the sale, as it is now',
  "FACT_TS" COMMENT 'ordered_at of the sale, as it is now',
  "FROM_MATCH" COMMENT 'exact, early, gap, inferred or none',
  "FROM_VERSION_KEY" COMMENT 'NULL for none, and for a product without versions',
  "TO_MATCH" COMMENT 'exact, early, gap, inferred or none',
  "TO_VERSION_KEY" COMMENT 'NULL for none, and for a product without versions',
  "CAUSE" COMMENT 'dimension: a change of the history; fact: of the sale''s own key or time; roles: folded again',
  "CAUSE_OP" COMMENT 'of the change that explains the move, where the cause is the dimension: c, u, r, d or t',
  "CAUSE_SEQ_POS" COMMENT 'its position (SCD2 R3)',
  "CAUSE_SEQ_ORD" COMMENT 'its ordinal (SCD2 R3)',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Sales that came to point at another version: one row for each sale, dimension and batch in which its target changed (SCD2 R21).'
AS
SELECT "ORDER_ID", "LINE_NO", "DIMENSION", "SOURCE_KEY", "FACT_TS", "FROM_MATCH", "FROM_VERSION_KEY", "TO_MATCH", "TO_VERSION_KEY", "CAUSE",
"CAUSE_OP", "CAUSE_SEQ_POS", "CAUSE_SEQ_ORD", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID" FROM RAW.FCT_SALES_MOVES WHERE BATCH_ID <=
(SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES);

CREATE OR REPLACE VIEW {{ database }}.CORE.FCT_PAGE_EVENTS (
  "EVENT_ID" COMMENT 'document _id',
  "IS_DELETED" COMMENT 'the row is gone',
  "SESSION_ID" COMMENT 'of gold.fct_sessions; NULL for an event without visitor or time',
  "VISITOR_ID" COMMENT 'cookie of the browser',
  "CUSTOMER_ID" COMMENT 'who the visitor turned out to be; NULL while nobody knows',
  "IDENTITY" COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
  "SOURCE_SESSION_ID" COMMENT 'as the browser sent it',
  "SOURCE_CUSTOMER_ID" COMMENT 'as the browser sent it: NULL until the visitor logs in',
  "EVENT_TYPE" COMMENT 'view, search, cart, checkout, login',
  "PRODUCT_ID" COMMENT 'the product on the page; NULL on other pages',
  "PAGE" COMMENT 'path of the page',
  "DEVICE" COMMENT 'desktop, mobile or tablet',
  "CAMPAIGN_ID" COMMENT 'campaign that brought the visit',
  "OCCURRED_AT" COMMENT 'time at the browser',
  "DAY" COMMENT 'of occurred_at, in the shop''s zone',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Page events with the session they belong to and the customer that the visitor turned out to be.'
AS
SELECT * FROM (SELECT "EVENT_ID", "IS_DELETED", "SESSION_ID", "VISITOR_ID", "CUSTOMER_ID", "IDENTITY", "SOURCE_SESSION_ID",
"SOURCE_CUSTOMER_ID", "EVENT_TYPE", "PRODUCT_ID", "PAGE", "DEVICE", "CAMPAIGN_ID", "OCCURRED_AT", "DAY", "EVENT_TS", "KAFKA_TS", "ORIGIN",
"BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "EVENT_ID" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.FCT_PAGE_EVENTS
WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE NOT is_deleted;

CREATE OR REPLACE VIEW {{ database }}.CORE.FCT_SESSIONS (
  "SESSION_ID" COMMENT 'made of the visitor and the first event',
  "IS_DELETED" COMMENT 'the row is gone',
  "VISITOR_ID" COMMENT 'cookie of the browser',
  "CUSTOMER_ID" COMMENT 'who the visitor turned out to be; NULL while nobody knows',
  "IDENTITY" COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
  "STARTED_AT" COMMENT 'time of the first event',
  "ENDED_AT" COMMENT 'time of the last event',
  "DAY" COMMENT 'of started_at, in the shop''s zone',
  "DURATION_S" COMMENT 'whole seconds between first and last event',
  "EVENTS" COMMENT 'page events of the session',
  "VIEWS" COMMENT 'events of type view',
  "SEARCHES" COMMENT 'events of type search',
  "CARTS" COMMENT 'products put into the cart',
  "CHECKOUTS" COMMENT 'events of type checkout',
  "LOGINS" COMMENT 'events of type login',
  "PRODUCTS" COMMENT 'distinct products that were viewed',
  "LANDING_PAGE" COMMENT 'page of the first event',
  "EXIT_PAGE" COMMENT 'page of the last event',
  "DEVICE" COMMENT 'of the first event that names one',
  "CAMPAIGN_ID" COMMENT 'of the first event that names one',
  "ORDERS" COMMENT 'orders placed in the session or up to 30 minutes behind it, cancelled ones left out',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Visits: page events of one visitor with at most 30 minutes between two of them, and of one customer at most.'
AS
SELECT * FROM (SELECT "SESSION_ID", "IS_DELETED", "VISITOR_ID", "CUSTOMER_ID", "IDENTITY", "STARTED_AT", "ENDED_AT", "DAY", "DURATION_S",
"EVENTS", "VIEWS", "SEARCHES", "CARTS", "CHECKOUTS", "LOGINS", "PRODUCTS", "LANDING_PAGE", "EXIT_PAGE", "DEVICE", "CAMPAIGN_ID", "ORDERS",
"BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "SESSION_ID" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.FCT_SESSIONS WHERE
BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE NOT is_deleted;

CREATE OR REPLACE VIEW {{ database }}.CORE.FCT_REVIEWS (
  "REVIEW_ID" COMMENT 'document _id',
  "IS_DELETED" COMMENT 'the row is gone',
  "PRODUCT_ID" COMMENT 'what is reviewed',
  "CUSTOMER_ID" COMMENT 'who wrote it',
  "RATING" COMMENT '1 to 5',
  "TITLE" WITH MASKING POLICY {{ database }}.OPS.MASK_TEXT COMMENT 'the customer''s words; personal',
  "BODY" WITH MASKING POLICY {{ database }}.OPS.MASK_TEXT COMMENT 'the customer''s words; personal',
  "LANGUAGE" COMMENT 'ISO 639-1, as the review says',
  "REVIEWED_AT" COMMENT 'when the review was written',
  "DAY" COMMENT 'of reviewed_at, in the shop''s zone',
  "TEXT_HASH" COMMENT 'of title and body: the key of the sentiment',
  "SENTIMENT" COMMENT '-1 to 1; NULL until the text is scored',
  "SENTIMENT_LABEL" COMMENT 'positive, neutral, negative or mixed',
  "SENTIMENT_MODEL" COMMENT 'model and version',
  "SENTIMENT_ERROR" COMMENT 'code of what the model refused',
  "SCORED_AT" COMMENT 'when the sentiment was found',
  "EVENT_TS" COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" COMMENT 'append time of its Kafka record',
  "ORIGIN" COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Product reviews with the sentiment of their words; it follows the review.'
AS
SELECT * FROM (SELECT "REVIEW_ID", "IS_DELETED", "PRODUCT_ID", "CUSTOMER_ID", "RATING", "TITLE", "BODY", "LANGUAGE", "REVIEWED_AT", "DAY",
"TEXT_HASH", "SENTIMENT", "SENTIMENT_LABEL", "SENTIMENT_MODEL", "SENTIMENT_ERROR", "SCORED_AT", "EVENT_TS", "KAFKA_TS", "ORIGIN", "BATCH_ID"
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "REVIEW_ID" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.FCT_REVIEWS WHERE BATCH_ID <=
(SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE NOT is_deleted;
