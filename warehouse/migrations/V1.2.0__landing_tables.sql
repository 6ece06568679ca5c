-- Where the loader streams the lake's rows to.

-- Clustered, because a customer's card and the erasure of a person ask for few customers.
CREATE TABLE IF NOT EXISTS {{ database }}.RAW.DIM_CUSTOMER (
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'NULL for a truncate',
  "SEQ_POS" NUMBER(38,0) NOT NULL COMMENT 'position of the change (SCD2 R3)',
  "SEQ_ORD" NUMBER(38,0) NOT NULL COMMENT 'ordinal of the change (SCD2 R3)',
  "OP" VARCHAR NOT NULL COMMENT 'c, u, r, d or t',
  "EMAIL" VARCHAR COMMENT 'address as the shop has it; personal',
  "FULL_NAME" VARCHAR COMMENT 'first and last name; personal',
  "CITY" VARCHAR COMMENT 'where the customer lives; personal',
  "COUNTRY" VARCHAR COMMENT 'ISO 3166-1 alpha-2',
  "TIER" VARCHAR COMMENT 'level of the loyalty programme',
  "MARKETING_CONSENT" BOOLEAN COMMENT 'agreed to be written to',
  "POINTS" NUMBER(38,0) COMMENT 'last value inside the version',
  "LAST_LOGIN_AT" TIMESTAMP_NTZ(6) COMMENT 'last value inside the version',
  "VERSION_KEY" VARCHAR COMMENT 'key of the version this change begins (SCD2 R20)',
  "VALID_FROM" TIMESTAMP_NTZ(6) COMMENT 'begin of the version: effective time of its change',
  "VALID_TO" TIMESTAMP_NTZ(6) COMMENT 'NULL while open',
  "IS_CURRENT" BOOLEAN NOT NULL COMMENT 'the newest version of its key',
  "IS_VISIBLE" BOOLEAN NOT NULL COMMENT 'this change begins a version; others are kept for the fold',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the source row is gone with this change',
  "CLOSED_BY" VARCHAR COMMENT 'change, delete, move or truncate',
  "UNRESOLVED" VARCHAR COMMENT 'JSON list of columns whose value was never sent',
  "MOVED_FROM" VARCHAR COMMENT 'key that the source row had before, where its key changed; JSON',
  "MOVED_TO" VARCHAR COMMENT 'key that the source row got, where its key changed; JSON',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
CLUSTER BY (CUSTOMER_ID)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Customer history (SCD2): one row per change; rows with is_visible are the versions.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.DIM_PRODUCT (
  "PRODUCT_ID" NUMBER(38,0) COMMENT 'NULL for a truncate',
  "SEQ_POS" NUMBER(38,0) NOT NULL COMMENT 'position of the change (SCD2 R3)',
  "SEQ_ORD" NUMBER(38,0) NOT NULL COMMENT 'ordinal of the change (SCD2 R3)',
  "OP" VARCHAR NOT NULL COMMENT 'c, u, r, d or t',
  "CATEGORY" VARCHAR COMMENT 'shelf that the product is filed under',
  "PRICE" NUMBER(12,2) COMMENT 'list price of one unit, in the shop''s currency',
  "SKU" VARCHAR COMMENT 'the shop''s own article number',
  "NAME" VARCHAR COMMENT 'as the shop shows it; last value inside the version',
  "DESCRIPTION" VARCHAR COMMENT 'as the shop shows it; last value inside the version',
  "COST" NUMBER(12,2) COMMENT 'what one unit costs the shop',
  "ACTIVE" BOOLEAN COMMENT 'can be ordered',
  "VERSION_KEY" VARCHAR COMMENT 'key of the version this change begins (SCD2 R20)',
  "VALID_FROM" TIMESTAMP_NTZ(6) COMMENT 'begin of the version: effective time of its change',
  "VALID_TO" TIMESTAMP_NTZ(6) COMMENT 'NULL while open',
  "IS_CURRENT" BOOLEAN NOT NULL COMMENT 'the newest version of its key',
  "IS_VISIBLE" BOOLEAN NOT NULL COMMENT 'this change begins a version; others are kept for the fold',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the source row is gone with this change',
  "CLOSED_BY" VARCHAR COMMENT 'change, delete, move or truncate',
  "UNRESOLVED" VARCHAR COMMENT 'JSON list of columns whose value was never sent',
  "MOVED_FROM" VARCHAR COMMENT 'key that the source row had before, where its key changed; JSON',
  "MOVED_TO" VARCHAR COMMENT 'key that the source row got, where its key changed; JSON',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Product history (SCD2): one row per change; rows with is_visible are the versions.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.DIM_DATE (
  "DATE_KEY" NUMBER(38,0) NOT NULL COMMENT 'yyyymmdd',
  "DATE" DATE NOT NULL COMMENT 'the day',
  "YEAR" NUMBER(38,0) COMMENT 'calendar year',
  "QUARTER" NUMBER(38,0) COMMENT '1 to 4',
  "MONTH" NUMBER(38,0) COMMENT '1 to 12',
  "MONTH_NAME" VARCHAR COMMENT 'English',
  "DAY" NUMBER(38,0) COMMENT 'of the month',
  "DAY_OF_WEEK" NUMBER(38,0) COMMENT 'ISO: Monday is 1',
  "DAY_NAME" VARCHAR COMMENT 'English',
  "ISO_YEAR" NUMBER(38,0) COMMENT 'year of the ISO week',
  "ISO_WEEK" NUMBER(38,0) COMMENT '1 to 53',
  "IS_WEEKEND" BOOLEAN COMMENT 'Saturday or Sunday',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Calendar, one row a day.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.DIM_CAMPAIGN (
  "CAMPAIGN_ID" VARCHAR NOT NULL COMMENT 'as sessions and orders name it',
  "NAME" VARCHAR COMMENT 'for people; NULL for an inferred one',
  "CHANNEL" VARCHAR COMMENT 'email, search, social, onsite, partner',
  "DISCOUNT_PERCENT" NUMBER(38,0) COMMENT 'off the list price of its orders',
  "IS_INFERRED" BOOLEAN NOT NULL COMMENT 'only facts know it',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Campaigns: those of schemas/campaigns.yaml, and one row for each other that a session or an order names.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_SALES (
  "ORDER_ID" VARCHAR NOT NULL COMMENT 'the order, of either source',
  "LINE_NO" NUMBER(38,0) NOT NULL COMMENT 'line of the order, from 1; 0 is the header',
  "SOURCE" VARCHAR COMMENT 'web when the web shop announced the order, else oltp',
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'who ordered; NULL for a guest',
  "PRODUCT_ID" NUMBER(38,0) COMMENT 'what was ordered',
  "ORDERED_AT" TIMESTAMP_NTZ(6) COMMENT 'when the order was placed',
  "STATUS" VARCHAR COMMENT 'placed, paid, shipped, cancelled, returned',
  "CURRENCY" VARCHAR COMMENT 'ISO 4217',
  "CAMPAIGN_ID" VARCHAR COMMENT 'campaign that the order names',
  "VISITOR_ID" VARCHAR COMMENT 'cookie of the browser that ordered; NULL at the counter',
  "QUANTITY" NUMBER(38,0) COMMENT 'units ordered',
  "UNIT_PRICE" NUMBER(12,2) COMMENT 'price of one unit, in the order''s currency',
  "DISCOUNT" NUMBER(12,2) COMMENT 'taken off the whole line',
  "SALE_AMOUNT" NUMBER(14,2) COMMENT 'quantity * unit_price - discount',
  "UNIT_COST" NUMBER(12,2) COMMENT 'known once the back office booked the line',
  "COST" NUMBER(14,2) COMMENT 'quantity * unit_cost',
  "IS_COMPLETE" BOOLEAN NOT NULL COMMENT 'header and line are both known',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the line or its order is gone',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Sales at order-line grain. Row line_no = 0 holds the header of an order whose lines are not all here; readers skip it.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_SALES_MOVES (
  "ORDER_ID" VARCHAR NOT NULL COMMENT 'of the sale',
  "LINE_NO" NUMBER(38,0) NOT NULL COMMENT 'of the sale',
  "DIMENSION" VARCHAR NOT NULL COMMENT 'dim_customer or dim_product',
  "SOURCE_KEY" NUMBER(38,0) COMMENT 'customer_id or product_id of the sale, as it is now',
  "FACT_TS" TIMESTAMP_NTZ(6) COMMENT 'ordered_at of the sale, as it is now',
  "FROM_MATCH" VARCHAR NOT NULL COMMENT 'exact, early, gap, inferred or none',
  "FROM_VERSION_KEY" VARCHAR COMMENT 'NULL for none, and for a product without versions',
  "TO_MATCH" VARCHAR NOT NULL COMMENT 'exact, early, gap, inferred or none',
  "TO_VERSION_KEY" VARCHAR COMMENT 'NULL for none, and for a product without versions',
  "CAUSE" VARCHAR NOT NULL COMMENT 'dimension: a change of the history; fact: of the sale''s own key or time; roles: folded again',
  "CAUSE_OP" VARCHAR COMMENT 'of the change that explains the move, where the cause is the dimension: c, u, r, d or t',
  "CAUSE_SEQ_POS" NUMBER(38,0) COMMENT 'its position (SCD2 R3)',
  "CAUSE_SEQ_ORD" NUMBER(38,0) COMMENT 'its ordinal (SCD2 R3)',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Sales that came to point at another version: one row for each sale, dimension and batch in which its target changed (SCD2 R21).';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_PAGE_EVENTS (
  "EVENT_ID" VARCHAR NOT NULL COMMENT 'document _id',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the row is gone',
  "SESSION_ID" VARCHAR COMMENT 'of gold.fct_sessions; NULL for an event without visitor or time',
  "VISITOR_ID" VARCHAR COMMENT 'cookie of the browser',
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'who the visitor turned out to be; NULL while nobody knows',
  "IDENTITY" VARCHAR COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
  "SOURCE_SESSION_ID" VARCHAR COMMENT 'as the browser sent it',
  "SOURCE_CUSTOMER_ID" NUMBER(38,0) COMMENT 'as the browser sent it: NULL until the visitor logs in',
  "EVENT_TYPE" VARCHAR COMMENT 'view, search, cart, checkout, login',
  "PRODUCT_ID" NUMBER(38,0) COMMENT 'the product on the page; NULL on other pages',
  "PAGE" VARCHAR COMMENT 'path of the page',
  "DEVICE" VARCHAR COMMENT 'desktop, mobile or tablet',
  "CAMPAIGN_ID" VARCHAR COMMENT 'campaign that brought the visit',
  "OCCURRED_AT" TIMESTAMP_NTZ(6) COMMENT 'time at the browser',
  "DAY" DATE COMMENT 'of occurred_at, in the shop''s zone',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Page events with the session they belong to and the customer that the visitor turned out to be.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_SESSIONS (
  "SESSION_ID" VARCHAR NOT NULL COMMENT 'made of the visitor and the first event',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the row is gone',
  "VISITOR_ID" VARCHAR COMMENT 'cookie of the browser',
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'who the visitor turned out to be; NULL while nobody knows',
  "IDENTITY" VARCHAR COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
  "STARTED_AT" TIMESTAMP_NTZ(6) COMMENT 'time of the first event',
  "ENDED_AT" TIMESTAMP_NTZ(6) COMMENT 'time of the last event',
  "DAY" DATE COMMENT 'of started_at, in the shop''s zone',
  "DURATION_S" NUMBER(38,0) COMMENT 'whole seconds between first and last event',
  "EVENTS" NUMBER(38,0) COMMENT 'page events of the session',
  "VIEWS" NUMBER(38,0) COMMENT 'events of type view',
  "SEARCHES" NUMBER(38,0) COMMENT 'events of type search',
  "CARTS" NUMBER(38,0) COMMENT 'products put into the cart',
  "CHECKOUTS" NUMBER(38,0) COMMENT 'events of type checkout',
  "LOGINS" NUMBER(38,0) COMMENT 'events of type login',
  "PRODUCTS" NUMBER(38,0) COMMENT 'distinct products that were viewed',
  "LANDING_PAGE" VARCHAR COMMENT 'page of the first event',
  "EXIT_PAGE" VARCHAR COMMENT 'page of the last event',
  "DEVICE" VARCHAR COMMENT 'of the first event that names one',
  "CAMPAIGN_ID" VARCHAR COMMENT 'of the first event that names one',
  "ORDERS" NUMBER(38,0) COMMENT 'orders placed in the session or up to 30 minutes behind it, cancelled ones left out',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Visits: page events of one visitor with at most 30 minutes between two of them, and of one customer at most.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.FCT_REVIEWS (
  "REVIEW_ID" VARCHAR NOT NULL COMMENT 'document _id',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the row is gone',
  "PRODUCT_ID" NUMBER(38,0) COMMENT 'what is reviewed',
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'who wrote it',
  "RATING" NUMBER(38,0) COMMENT '1 to 5',
  "TITLE" VARCHAR COMMENT 'the customer''s words; personal',
  "BODY" VARCHAR COMMENT 'the customer''s words; personal',
  "LANGUAGE" VARCHAR COMMENT 'ISO 639-1, as the review says',
  "REVIEWED_AT" TIMESTAMP_NTZ(6) COMMENT 'when the review was written',
  "DAY" DATE COMMENT 'of reviewed_at, in the shop''s zone',
  "TEXT_HASH" VARCHAR COMMENT 'of title and body: the key of the sentiment',
  "SENTIMENT" NUMBER(6,4) COMMENT '-1 to 1; NULL until the text is scored',
  "SENTIMENT_LABEL" VARCHAR COMMENT 'positive, neutral, negative or mixed',
  "SENTIMENT_MODEL" VARCHAR COMMENT 'model and version',
  "SENTIMENT_ERROR" VARCHAR COMMENT 'code of what the model refused',
  "SCORED_AT" TIMESTAMP_NTZ(6) COMMENT 'when the sentiment was found',
  "EVENT_TS" TIMESTAMP_NTZ(6) COMMENT 'commit time at the source of the change that made this row',
  "KAFKA_TS" TIMESTAMP_NTZ(6) COMMENT 'append time of its Kafka record',
  "ORIGIN" VARCHAR COMMENT 'topic/partition/offset of that record',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Product reviews with the sentiment of their words; it follows the review.';

-- Clustered, because a customer's card and the erasure of a person ask for few customers.
CREATE TABLE IF NOT EXISTS {{ database }}.RAW.MART_CUSTOMER_360 (
  "CUSTOMER_ID" NUMBER(38,0) NOT NULL COMMENT 'the customer',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the row is gone',
  "IS_KNOWN" BOOLEAN NOT NULL COMMENT 'has a current row in dim_customer',
  "COUNTRY" VARCHAR COMMENT 'ISO 3166-1 alpha-2, of the current version',
  "TIER" VARCHAR COMMENT 'level of the loyalty programme, of the current version',
  "EMAIL_MASKED" VARCHAR COMMENT 'first letter and domain; behind the columns of which the lake keeps statistics',
  "MARKETING_CONSENT" BOOLEAN COMMENT 'agreed to be written to, in the current version',
  "FIRST_ORDER_AT" TIMESTAMP_NTZ(6) COMMENT 'of the orders in orders',
  "LAST_ORDER_AT" TIMESTAMP_NTZ(6) COMMENT 'of the orders in orders',
  "ORDERS" NUMBER(38,0) NOT NULL COMMENT 'not cancelled; returned ones count',
  "CANCELLED_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'orders with status cancelled',
  "RETURNED_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'orders with status returned',
  "RETURN_RATE" NUMBER(6,4) COMMENT 'returned_orders / orders',
  "UNITS" NUMBER(38,0) NOT NULL COMMENT 'of orders that are not cancelled',
  "LIFETIME_VALUE" NUMBER(18,2) NOT NULL COMMENT 'in the shop''s currency; cancelled and returned orders left out',
  "AVERAGE_ORDER_VALUE" NUMBER(18,2) COMMENT 'of the orders in lifetime_value',
  "OTHER_CURRENCY_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'not cancelled, and in another currency: their money is in no sum',
  "FAVOURITE_CATEGORY" VARCHAR COMMENT 'most units; as the products were filed when they were ordered',
  "SESSIONS" NUMBER(38,0) NOT NULL COMMENT 'visits of the customer',
  "SESSIONS_7D" NUMBER(38,0) NOT NULL COMMENT 'of the last 7 days',
  "SESSIONS_30D" NUMBER(38,0) NOT NULL COMMENT 'of the last 30 days',
  "LAST_SESSION_AT" TIMESTAMP_NTZ(6) COMMENT 'start of the last visit',
  "ABANDONED_CARTS" NUMBER(38,0) NOT NULL COMMENT 'sessions with a cart and no order',
  "REVIEWS" NUMBER(38,0) NOT NULL COMMENT 'reviews by the customer',
  "AVERAGE_RATING" NUMBER(6,4) COMMENT '1 to 5, of the reviews with a rating',
  "AVERAGE_SENTIMENT" NUMBER(6,4) COMMENT '-1 to 1, of the reviews that are scored',
  "LAST_CONTACT_AT" TIMESTAMP_NTZ(6) COMMENT 'last order, session or review',
  "RECENCY_SCORE" NUMBER(38,0) NOT NULL COMMENT '0 to 5',
  "FREQUENCY_SCORE" NUMBER(38,0) NOT NULL COMMENT '0 to 5',
  "MONETARY_SCORE" NUMBER(38,0) NOT NULL COMMENT '0 to 5',
  "RFM_CELL" VARCHAR NOT NULL COMMENT 'the three scores as digits',
  "CHURN_SCORE" NUMBER(38,0) NOT NULL COMMENT '0 to 100',
  "CHURN_RISK" VARCHAR NOT NULL COMMENT 'none (never ordered), low, medium or high',
  "CHURN_REASONS" VARCHAR NOT NULL COMMENT 'JSON list, weightiest first',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
CLUSTER BY (CUSTOMER_ID)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'One row a customer: who it is, what it bought, how it behaves, and whether it is about to leave. No name, no address.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.MART_FUNNEL (
  "DAY" DATE NOT NULL COMMENT 'of the start of the sessions, in the shop''s zone',
  "CAMPAIGN_ID" VARCHAR NOT NULL COMMENT 'direct for none',
  "DEVICE" VARCHAR NOT NULL COMMENT 'unknown for none',
  "SESSIONS" NUMBER(38,0) NOT NULL COMMENT 'all sessions',
  "VIEWED" NUMBER(38,0) NOT NULL COMMENT 'sessions with a view',
  "CARTED" NUMBER(38,0) NOT NULL COMMENT 'sessions with something put into the cart',
  "CHECKED_OUT" NUMBER(38,0) NOT NULL COMMENT 'sessions with a checkout',
  "PAID" NUMBER(38,0) NOT NULL COMMENT 'sessions with an order that is not cancelled',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Sessions by how far they came, for each day, campaign and device.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.MART_ATTRIBUTION (
  "ORDER_ID" VARCHAR NOT NULL COMMENT 'the order',
  "TOUCH_NO" NUMBER(38,0) NOT NULL COMMENT '1 is the first; 0 for an order without a campaign visit',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'the row is gone',
  "CAMPAIGN_ID" VARCHAR COMMENT 'of the visit; without one the order''s own, direct for none',
  "SESSION_ID" VARCHAR COMMENT 'the visit; NULL for an order without a campaign visit',
  "TOUCHED_AT" TIMESTAMP_NTZ(6) COMMENT 'start of the session',
  "TOUCHES" NUMBER(38,0) COMMENT 'of the order',
  "CUSTOMER_ID" NUMBER(38,0) COMMENT 'who ordered; NULL for a guest',
  "ORDERED_AT" TIMESTAMP_NTZ(6) COMMENT 'when the order was placed',
  "DAY" DATE COMMENT 'of ordered_at, in the shop''s zone',
  "STATUS" VARCHAR COMMENT 'of the order',
  "CURRENCY" VARCHAR COMMENT 'ISO 4217, of the order',
  "AMOUNT" NUMBER(18,2) COMMENT 'of the order',
  "FIRST_TOUCH" NUMBER(18,2) COMMENT 'all of the amount on the first touch',
  "LAST_TOUCH" NUMBER(18,2) COMMENT 'all of the amount on the last touch',
  "LINEAR" NUMBER(18,2) COMMENT 'equal shares; together the amount, to the cent',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'The campaign visits of the 30 days before an order and the one it was placed in; its amount is shared out among them in three ways.';

-- Clustered, because questions ask for the last days, and old days hardly change.
CREATE TABLE IF NOT EXISTS {{ database }}.RAW.MART_PRODUCT_PULSE (
  "PRODUCT_ID" NUMBER(38,0) NOT NULL COMMENT 'the product',
  "DAY" DATE NOT NULL COMMENT 'of the session, the order or the review, in the shop''s zone',
  "VIEWS" NUMBER(38,0) NOT NULL COMMENT 'page events of type view',
  "SESSIONS" NUMBER(38,0) NOT NULL COMMENT 'sessions that viewed it',
  "CARTS" NUMBER(38,0) NOT NULL COMMENT 'page events that put it into the cart',
  "ORDERS" NUMBER(38,0) NOT NULL COMMENT 'with this product, not cancelled',
  "UNITS" NUMBER(38,0) NOT NULL COMMENT 'of orders that are not cancelled',
  "RETURNED_UNITS" NUMBER(38,0) NOT NULL COMMENT 'units of returned orders',
  "REVENUE" NUMBER(18,2) NOT NULL COMMENT 'in the shop''s currency; cancelled and returned orders left out',
  "OTHER_CURRENCY_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'not cancelled, and in another currency',
  "REVIEWS" NUMBER(38,0) NOT NULL COMMENT 'reviews of the product',
  "RATED_REVIEWS" NUMBER(38,0) NOT NULL COMMENT 'reviews with a rating',
  "RATING_SUM" NUMBER(38,0) NOT NULL COMMENT 'of the rated reviews',
  "SCORED_REVIEWS" NUMBER(38,0) NOT NULL COMMENT 'reviews with a sentiment',
  "SENTIMENT_SUM" NUMBER(18,4) NOT NULL COMMENT 'of the scored reviews',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
CLUSTER BY (DAY)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'What happened to a product on a day: looked at, bought, returned, reviewed. Sums only: rates follow from them at any grain.';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.MART_REVENUE_MINUTE (
  "MINUTE" TIMESTAMP_NTZ(6) NOT NULL COMMENT 'start of the minute in which the orders were placed, UTC',
  "CURRENCY" VARCHAR NOT NULL COMMENT 'XXX for none',
  "ORDERS" NUMBER(38,0) NOT NULL COMMENT 'all orders placed',
  "WEB_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'announced by the web shop',
  "CANCELLED_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'of them with status cancelled',
  "RETURNED_ORDERS" NUMBER(38,0) NOT NULL COMMENT 'of them with status returned',
  "UNITS" NUMBER(38,0) NOT NULL COMMENT 'units of all orders',
  "GROSS_REVENUE" NUMBER(18,2) NOT NULL COMMENT 'of all orders',
  "NET_REVENUE" NUMBER(18,2) NOT NULL COMMENT 'cancelled and returned orders left out',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Orders and their worth for each minute and currency.';

CREATE TABLE IF NOT EXISTS {{ database }}.OPS.LAKE_BATCHES (
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'number of the batch, from 0',
  "STARTED_AT" TIMESTAMP_NTZ(6) COMMENT 'when the lake job took it up',
  "COMMITTED_AT" TIMESTAMP_NTZ(6) COMMENT 'when all its tables were written',
  "RECORDS" NUMBER(38,0) COMMENT 'Kafka records in the batch',
  "REJECTED" NUMBER(38,0) COMMENT 'records that became dead letters',
  "ROWS_OUT" NUMBER(38,0) COMMENT 'rows appended to silver and gold',
  "VERSIONS" VARCHAR COMMENT 'JSON {table: Delta version after this batch}',
  "OFFSETS" VARCHAR COMMENT 'JSON {topic: {partition: end offset}}',
  "QUERY_ID" VARCHAR COMMENT 'id of the streaming query''s checkpoint'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'One row per complete lake batch, appended last: what a reader may see ends here.';
