-- The star schema of commerce360, for SqlDBM. Made by `make docs` from schemas/star.py; edit that.
-- FK_...: each value has its row. LINK_...: some values have none, such as the campaign 'direct' (see docs/warehouse-model.md).

CREATE SCHEMA IF NOT EXISTS "CORE";
CREATE SCHEMA IF NOT EXISTS "MART";

-- ************************************** "CORE"."DIM_CUSTOMER"
CREATE TABLE "CORE"."DIM_CUSTOMER"
(
 "CUSTOMER_ID"       number(38,0) COMMENT 'NULL for a truncate',
 "SEQ_POS"           number(38,0) NOT NULL COMMENT 'position of the change (SCD2 R3)',
 "SEQ_ORD"           number(38,0) NOT NULL COMMENT 'ordinal of the change (SCD2 R3)',
 "OP"                varchar NOT NULL COMMENT 'c, u, r, d or t',
 "EMAIL"             varchar COMMENT 'address as the shop has it; personal',
 "FULL_NAME"         varchar COMMENT 'first and last name; personal',
 "CITY"              varchar COMMENT 'where the customer lives; personal',
 "COUNTRY"           varchar COMMENT 'ISO 3166-1 alpha-2',
 "TIER"              varchar COMMENT 'level of the loyalty programme',
 "MARKETING_CONSENT" boolean COMMENT 'agreed to be written to',
 "POINTS"            number(38,0) COMMENT 'last value inside the version',
 "LAST_LOGIN_AT"     timestamp_ntz(6) COMMENT 'last value inside the version',
 "VERSION_KEY"       varchar NOT NULL COMMENT 'key of the version this change begins (SCD2 R20)',
 "VALID_FROM"        timestamp_ntz(6) COMMENT 'begin of the version: effective time of its change',
 "VALID_TO"          timestamp_ntz(6) COMMENT 'NULL while open',
 "IS_CURRENT"        boolean NOT NULL COMMENT 'the newest version of its key',
 "IS_VISIBLE"        boolean NOT NULL COMMENT 'this change begins a version; others are kept for the fold',
 "IS_DELETED"        boolean NOT NULL COMMENT 'the source row is gone with this change',
 "CLOSED_BY"         varchar COMMENT 'change, delete, move or truncate',
 "UNRESOLVED"        varchar COMMENT 'JSON list of columns whose value was never sent',
 "MOVED_FROM"        varchar COMMENT 'key that the source row had before, where its key changed; JSON',
 "MOVED_TO"          varchar COMMENT 'key that the source row got, where its key changed; JSON',
 "EVENT_TS"          timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"          timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"            varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"          number(38,0) NOT NULL COMMENT 'lake batch that appended this row',
 "IS_INFERRED"       boolean NOT NULL COMMENT 'no change of this customer is known: only facts name it (SCD2 R22)',

 CONSTRAINT "PK_DIM_CUSTOMER" PRIMARY KEY ( "VERSION_KEY" )
)
COMMENT = 'Customer history (SCD2): one row per change; rows with is_visible are the versions.';

-- ************************************** "CORE"."DIM_PRODUCT"
CREATE TABLE "CORE"."DIM_PRODUCT"
(
 "PRODUCT_ID"  number(38,0) COMMENT 'NULL for a truncate',
 "SEQ_POS"     number(38,0) NOT NULL COMMENT 'position of the change (SCD2 R3)',
 "SEQ_ORD"     number(38,0) NOT NULL COMMENT 'ordinal of the change (SCD2 R3)',
 "OP"          varchar NOT NULL COMMENT 'c, u, r, d or t',
 "CATEGORY"    varchar COMMENT 'shelf that the product is filed under',
 "PRICE"       number(12,2) COMMENT 'list price of one unit, in the shop''s currency',
 "SKU"         varchar COMMENT 'the shop''s own article number',
 "NAME"        varchar COMMENT 'as the shop shows it; last value inside the version',
 "DESCRIPTION" varchar COMMENT 'as the shop shows it; last value inside the version',
 "COST"        number(12,2) COMMENT 'what one unit costs the shop',
 "ACTIVE"      boolean COMMENT 'can be ordered',
 "VERSION_KEY" varchar NOT NULL COMMENT 'key of the version this change begins (SCD2 R20)',
 "VALID_FROM"  timestamp_ntz(6) COMMENT 'begin of the version: effective time of its change',
 "VALID_TO"    timestamp_ntz(6) COMMENT 'NULL while open',
 "IS_CURRENT"  boolean NOT NULL COMMENT 'the newest version of its key',
 "IS_VISIBLE"  boolean NOT NULL COMMENT 'this change begins a version; others are kept for the fold',
 "IS_DELETED"  boolean NOT NULL COMMENT 'the source row is gone with this change',
 "CLOSED_BY"   varchar COMMENT 'change, delete, move or truncate',
 "UNRESOLVED"  varchar COMMENT 'JSON list of columns whose value was never sent',
 "MOVED_FROM"  varchar COMMENT 'key that the source row had before, where its key changed; JSON',
 "MOVED_TO"    varchar COMMENT 'key that the source row got, where its key changed; JSON',
 "EVENT_TS"    timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"    timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"      varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"    number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_DIM_PRODUCT" PRIMARY KEY ( "VERSION_KEY" )
)
COMMENT = 'Product history (SCD2): one row per change; rows with is_visible are the versions.';

-- ************************************** "CORE"."DIM_DATE"
CREATE TABLE "CORE"."DIM_DATE"
(
 "DATE_KEY"       number(38,0) NOT NULL COMMENT 'yyyymmdd',
 "DATE"           date NOT NULL COMMENT 'the day',
 "YEAR"           number(38,0) COMMENT 'calendar year',
 "QUARTER"        number(38,0) COMMENT '1 to 4',
 "MONTH"          number(38,0) COMMENT '1 to 12',
 "MONTH_NAME"     varchar COMMENT 'English',
 "DAY"            number(38,0) COMMENT 'of the month',
 "DAY_OF_WEEK"    number(38,0) COMMENT 'ISO: Monday is 1',
 "DAY_NAME"       varchar COMMENT 'English',
 "ISO_YEAR"       number(38,0) COMMENT 'year of the ISO week',
 "ISO_WEEK"       number(38,0) COMMENT '1 to 53',
 "IS_WEEKEND"     boolean COMMENT 'Saturday or Sunday',
 "FISCAL_YEAR"    number(38,0) COMMENT 'named after the calendar year in which it ends',
 "FISCAL_QUARTER" number(38,0) COMMENT '1 to 4, within the fiscal year',
 "FISCAL_MONTH"   number(38,0) COMMENT '1 to 12, within the fiscal year',
 "BATCH_ID"       number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_DIM_DATE" PRIMARY KEY ( "DATE_KEY" ),
 CONSTRAINT "AK_DIM_DATE_DATE" UNIQUE ( "DATE" )
)
COMMENT = 'Calendar, one row a day.';

-- ************************************** "CORE"."DIM_CAMPAIGN"
CREATE TABLE "CORE"."DIM_CAMPAIGN"
(
 "CAMPAIGN_ID"      varchar NOT NULL COMMENT 'as sessions and orders name it',
 "NAME"             varchar COMMENT 'for people; NULL for an inferred one',
 "CHANNEL"          varchar COMMENT 'email, search, social, onsite, partner',
 "DISCOUNT_PERCENT" number(38,0) COMMENT 'off the list price of its orders',
 "IS_INFERRED"      boolean NOT NULL COMMENT 'only facts know it',
 "BATCH_ID"         number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_DIM_CAMPAIGN" PRIMARY KEY ( "CAMPAIGN_ID" )
)
COMMENT = 'Campaigns: those of schemas/campaigns.yaml, and one row for each other that a session or an order names.';

-- ************************************** "MART"."MART_CUSTOMER_360"
CREATE TABLE "MART"."MART_CUSTOMER_360"
(
 "CUSTOMER_ID"           number(38,0) NOT NULL COMMENT 'the customer',
 "IS_DELETED"            boolean NOT NULL COMMENT 'the row is gone',
 "IS_KNOWN"              boolean NOT NULL COMMENT 'has a current row in dim_customer',
 "COUNTRY"               varchar COMMENT 'ISO 3166-1 alpha-2, of the current version',
 "TIER"                  varchar COMMENT 'level of the loyalty programme, of the current version',
 "EMAIL_MASKED"          varchar COMMENT 'first letter and domain; behind the columns of which the lake keeps statistics',
 "MARKETING_CONSENT"     boolean COMMENT 'agreed to be written to, in the current version',
 "FIRST_ORDER_AT"        timestamp_ntz(6) COMMENT 'of the orders in orders',
 "LAST_ORDER_AT"         timestamp_ntz(6) COMMENT 'of the orders in orders',
 "ORDERS"                number(38,0) NOT NULL COMMENT 'not cancelled; returned ones count',
 "CANCELLED_ORDERS"      number(38,0) NOT NULL COMMENT 'orders with status cancelled',
 "RETURNED_ORDERS"       number(38,0) NOT NULL COMMENT 'orders with status returned',
 "RETURN_RATE"           number(6,4) COMMENT 'returned_orders / orders',
 "UNITS"                 number(38,0) NOT NULL COMMENT 'of orders that are not cancelled',
 "LIFETIME_VALUE"        number(18,2) NOT NULL COMMENT 'in the shop''s currency; cancelled and returned orders left out',
 "AVERAGE_ORDER_VALUE"   number(18,2) COMMENT 'of the orders in lifetime_value',
 "OTHER_CURRENCY_ORDERS" number(38,0) NOT NULL COMMENT 'not cancelled, and in another currency: their money is in no sum',
 "FAVOURITE_CATEGORY"    varchar COMMENT 'most units; as the products were filed when they were ordered',
 "SESSIONS"              number(38,0) NOT NULL COMMENT 'visits of the customer',
 "SESSIONS_7D"           number(38,0) NOT NULL COMMENT 'of the last 7 days',
 "SESSIONS_30D"          number(38,0) NOT NULL COMMENT 'of the last 30 days',
 "LAST_SESSION_AT"       timestamp_ntz(6) COMMENT 'start of the last visit',
 "ABANDONED_CARTS"       number(38,0) NOT NULL COMMENT 'sessions with a cart and no order',
 "REVIEWS"               number(38,0) NOT NULL COMMENT 'reviews by the customer',
 "AVERAGE_RATING"        number(6,4) COMMENT '1 to 5, of the reviews with a rating',
 "AVERAGE_SENTIMENT"     number(6,4) COMMENT '-1 to 1, of the reviews that are scored',
 "LAST_CONTACT_AT"       timestamp_ntz(6) COMMENT 'last order, session or review',
 "RECENCY_SCORE"         number(38,0) NOT NULL COMMENT '0 to 5',
 "FREQUENCY_SCORE"       number(38,0) NOT NULL COMMENT '0 to 5',
 "MONETARY_SCORE"        number(38,0) NOT NULL COMMENT '0 to 5',
 "RFM_CELL"              varchar NOT NULL COMMENT 'the three scores as digits',
 "CHURN_SCORE"           number(38,0) NOT NULL COMMENT '0 to 100',
 "CHURN_RISK"            varchar NOT NULL COMMENT 'none (never ordered), low, medium or high',
 "CHURN_REASONS"         varchar NOT NULL COMMENT 'JSON list, weightiest first',
 "BATCH_ID"              number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_MART_CUSTOMER_360" PRIMARY KEY ( "CUSTOMER_ID" )
)
COMMENT = 'One row a customer: who it is, what it bought, how it behaves, and whether it is about to leave. No name, no address.';

-- ************************************** "MART"."MART_REVENUE_MINUTE"
CREATE TABLE "MART"."MART_REVENUE_MINUTE"
(
 "MINUTE"           timestamp_ntz(6) NOT NULL COMMENT 'start of the minute in which the orders were placed, UTC',
 "CURRENCY"         varchar NOT NULL COMMENT 'XXX for none',
 "ORDERS"           number(38,0) NOT NULL COMMENT 'all orders placed',
 "WEB_ORDERS"       number(38,0) NOT NULL COMMENT 'announced by the web shop',
 "CANCELLED_ORDERS" number(38,0) NOT NULL COMMENT 'of them with status cancelled',
 "RETURNED_ORDERS"  number(38,0) NOT NULL COMMENT 'of them with status returned',
 "UNITS"            number(38,0) NOT NULL COMMENT 'units of all orders',
 "GROSS_REVENUE"    number(18,2) NOT NULL COMMENT 'of all orders',
 "NET_REVENUE"      number(18,2) NOT NULL COMMENT 'cancelled and returned orders left out',
 "BATCH_ID"         number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_MART_REVENUE_MINUTE" PRIMARY KEY ( "MINUTE", "CURRENCY" )
)
COMMENT = 'Orders and their worth for each minute and currency.';

-- ************************************** "CORE"."DIM_HOLIDAY"
CREATE TABLE "CORE"."DIM_HOLIDAY"
(
 "DATE_KEY"    number(38,0) NOT NULL COMMENT 'yyyymmdd',
 "COUNTRY"     varchar NOT NULL COMMENT 'ISO 3166-1 alpha-2',
 "DATE"        date NOT NULL COMMENT 'the day',
 "NAME"        varchar COMMENT 'English where the library has it, else the country''s own; several on one day with semicolons between',
 "IS_OBSERVED" boolean COMMENT 'kept on this day because the holiday''s own day is no working day',
 "IS_DELETED"  boolean NOT NULL COMMENT 'no holiday any more: another list of countries, or the library knows better',
 "BATCH_ID"    number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_DIM_HOLIDAY" PRIMARY KEY ( "DATE_KEY", "COUNTRY" ),
 CONSTRAINT "FK_DIM_HOLIDAY_DATE_KEY" FOREIGN KEY ( "DATE_KEY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE_KEY" )
)
COMMENT = 'Public holidays of whole countries, one row a day and country; those of a region only are not here.';

-- ************************************** "MART"."MART_PRODUCT_PULSE"
CREATE TABLE "MART"."MART_PRODUCT_PULSE"
(
 "PRODUCT_ID"            number(38,0) NOT NULL COMMENT 'the product',
 "DAY"                   date NOT NULL COMMENT 'of the session, the order or the review, in the shop''s zone',
 "VIEWS"                 number(38,0) NOT NULL COMMENT 'page events of type view',
 "SESSIONS"              number(38,0) NOT NULL COMMENT 'sessions that viewed it',
 "CARTS"                 number(38,0) NOT NULL COMMENT 'page events that put it into the cart',
 "ORDERS"                number(38,0) NOT NULL COMMENT 'with this product, not cancelled',
 "UNITS"                 number(38,0) NOT NULL COMMENT 'of orders that are not cancelled',
 "RETURNED_UNITS"        number(38,0) NOT NULL COMMENT 'units of returned orders',
 "REVENUE"               number(18,2) NOT NULL COMMENT 'in the shop''s currency; cancelled and returned orders left out',
 "OTHER_CURRENCY_ORDERS" number(38,0) NOT NULL COMMENT 'not cancelled, and in another currency',
 "REVIEWS"               number(38,0) NOT NULL COMMENT 'reviews of the product',
 "RATED_REVIEWS"         number(38,0) NOT NULL COMMENT 'reviews with a rating',
 "RATING_SUM"            number(38,0) NOT NULL COMMENT 'of the rated reviews',
 "SCORED_REVIEWS"        number(38,0) NOT NULL COMMENT 'reviews with a sentiment',
 "SENTIMENT_SUM"         number(18,4) NOT NULL COMMENT 'of the scored reviews',
 "BATCH_ID"              number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_MART_PRODUCT_PULSE" PRIMARY KEY ( "PRODUCT_ID", "DAY" ),
 CONSTRAINT "LINK_MART_PRODUCT_PULSE_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" )
)
COMMENT = 'What happened to a product on a day: looked at, bought, returned, reviewed. Sums only: rates follow from them at any grain.';

-- ************************************** "MART"."MART_FUNNEL"
CREATE TABLE "MART"."MART_FUNNEL"
(
 "DAY"         date NOT NULL COMMENT 'of the start of the sessions, in the shop''s zone',
 "CAMPAIGN_ID" varchar NOT NULL COMMENT 'direct for none',
 "DEVICE"      varchar NOT NULL COMMENT 'unknown for none',
 "SESSIONS"    number(38,0) NOT NULL COMMENT 'all sessions',
 "VIEWED"      number(38,0) NOT NULL COMMENT 'sessions with a view',
 "CARTED"      number(38,0) NOT NULL COMMENT 'sessions with something put into the cart',
 "CHECKED_OUT" number(38,0) NOT NULL COMMENT 'sessions with a checkout',
 "PAID"        number(38,0) NOT NULL COMMENT 'sessions with an order that is not cancelled',
 "BATCH_ID"    number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_MART_FUNNEL" PRIMARY KEY ( "DAY", "CAMPAIGN_ID", "DEVICE" ),
 CONSTRAINT "LINK_MART_FUNNEL_CAMPAIGN_ID" FOREIGN KEY ( "CAMPAIGN_ID" ) REFERENCES "CORE"."DIM_CAMPAIGN" ( "CAMPAIGN_ID" ),
 CONSTRAINT "LINK_MART_FUNNEL_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" )
)
COMMENT = 'Sessions by how far they came, for each day, campaign and device.';

-- ************************************** "CORE"."FCT_SALES"
CREATE TABLE "CORE"."FCT_SALES"
(
 "ORDER_ID"             varchar NOT NULL COMMENT 'the order, of either source',
 "LINE_NO"              number(38,0) NOT NULL COMMENT 'line of the order, from 1; 0 is the header',
 "SOURCE"               varchar COMMENT 'web when the web shop announced the order, else oltp',
 "CUSTOMER_ID"          number(38,0) COMMENT 'who ordered; NULL for a guest',
 "PRODUCT_ID"           number(38,0) COMMENT 'what was ordered',
 "ORDERED_AT"           timestamp_ntz(6) COMMENT 'when the order was placed',
 "STATUS"               varchar COMMENT 'placed, paid, shipped, cancelled, returned',
 "CURRENCY"             varchar COMMENT 'ISO 4217',
 "CAMPAIGN_ID"          varchar COMMENT 'campaign that the order names',
 "VISITOR_ID"           varchar COMMENT 'cookie of the browser that ordered; NULL at the counter',
 "QUANTITY"             number(38,0) COMMENT 'units ordered',
 "UNIT_PRICE"           number(12,2) COMMENT 'price of one unit, in the order''s currency',
 "DISCOUNT"             number(12,2) COMMENT 'taken off the whole line',
 "SALE_AMOUNT"          number(14,2) COMMENT 'quantity * unit_price - discount',
 "UNIT_COST"            number(12,2) COMMENT 'known once the back office booked the line',
 "COST"                 number(14,2) COMMENT 'quantity * unit_cost',
 "IS_COMPLETE"          boolean NOT NULL COMMENT 'header and line are both known',
 "IS_DELETED"           boolean NOT NULL COMMENT 'the line or its order is gone',
 "EVENT_TS"             timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"             timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"               varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"             number(38,0) NOT NULL COMMENT 'lake batch that appended this row',
 "DAY"                  date COMMENT 'of ordered_at, in the shop''s zone (Europe/Berlin)',
 "CUSTOMER_VERSION_KEY" varchar COMMENT 'the customer''s version in force at ordered_at (SCD2 R21)',
 "CUSTOMER_MATCH"       varchar NOT NULL COMMENT 'exact, early, gap, inferred or none',
 "PRODUCT_VERSION_KEY"  varchar COMMENT 'the product''s version in force at ordered_at (SCD2 R21)',
 "PRODUCT_MATCH"        varchar NOT NULL COMMENT 'exact, early, gap, inferred or none',

 CONSTRAINT "PK_FCT_SALES" PRIMARY KEY ( "ORDER_ID", "LINE_NO" ),
 CONSTRAINT "FK_FCT_SALES_CUSTOMER_VERSION_KEY" FOREIGN KEY ( "CUSTOMER_VERSION_KEY" ) REFERENCES "CORE"."DIM_CUSTOMER" ( "VERSION_KEY" ),
 CONSTRAINT "LINK_FCT_SALES_PRODUCT_VERSION_KEY" FOREIGN KEY ( "PRODUCT_VERSION_KEY" ) REFERENCES "CORE"."DIM_PRODUCT" ( "VERSION_KEY" ),
 CONSTRAINT "FK_FCT_SALES_CAMPAIGN_ID" FOREIGN KEY ( "CAMPAIGN_ID" ) REFERENCES "CORE"."DIM_CAMPAIGN" ( "CAMPAIGN_ID" ),
 CONSTRAINT "LINK_FCT_SALES_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" ),
 CONSTRAINT "FK_FCT_SALES_CUSTOMER_ID" FOREIGN KEY ( "CUSTOMER_ID" ) REFERENCES "MART"."MART_CUSTOMER_360" ( "CUSTOMER_ID" )
)
COMMENT = 'Sales at order-line grain. Row line_no = 0 holds the header of an order whose lines are not all here; readers skip it.';

-- ************************************** "CORE"."FCT_SESSIONS"
CREATE TABLE "CORE"."FCT_SESSIONS"
(
 "SESSION_ID"   varchar NOT NULL COMMENT 'made of the visitor and the first event',
 "IS_DELETED"   boolean NOT NULL COMMENT 'the row is gone',
 "VISITOR_ID"   varchar COMMENT 'cookie of the browser',
 "CUSTOMER_ID"  number(38,0) COMMENT 'who the visitor turned out to be; NULL while nobody knows',
 "IDENTITY"     varchar COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
 "STARTED_AT"   timestamp_ntz(6) COMMENT 'time of the first event',
 "ENDED_AT"     timestamp_ntz(6) COMMENT 'time of the last event',
 "DAY"          date COMMENT 'of started_at, in the shop''s zone',
 "DURATION_S"   number(38,0) COMMENT 'whole seconds between first and last event',
 "EVENTS"       number(38,0) COMMENT 'page events of the session',
 "VIEWS"        number(38,0) COMMENT 'events of type view',
 "SEARCHES"     number(38,0) COMMENT 'events of type search',
 "CARTS"        number(38,0) COMMENT 'products put into the cart',
 "CHECKOUTS"    number(38,0) COMMENT 'events of type checkout',
 "LOGINS"       number(38,0) COMMENT 'events of type login',
 "PRODUCTS"     number(38,0) COMMENT 'distinct products that were viewed',
 "LANDING_PAGE" varchar COMMENT 'page of the first event',
 "EXIT_PAGE"    varchar COMMENT 'page of the last event',
 "DEVICE"       varchar COMMENT 'of the first event that names one',
 "CAMPAIGN_ID"  varchar COMMENT 'of the first event that names one',
 "ORDERS"       number(38,0) COMMENT 'orders placed in the session or up to 30 minutes behind it, cancelled ones left out',
 "BATCH_ID"     number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_FCT_SESSIONS" PRIMARY KEY ( "SESSION_ID" ),
 CONSTRAINT "FK_FCT_SESSIONS_CAMPAIGN_ID" FOREIGN KEY ( "CAMPAIGN_ID" ) REFERENCES "CORE"."DIM_CAMPAIGN" ( "CAMPAIGN_ID" ),
 CONSTRAINT "LINK_FCT_SESSIONS_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" ),
 CONSTRAINT "FK_FCT_SESSIONS_CUSTOMER_ID" FOREIGN KEY ( "CUSTOMER_ID" ) REFERENCES "MART"."MART_CUSTOMER_360" ( "CUSTOMER_ID" )
)
COMMENT = 'Visits: page events of one visitor with at most 30 minutes between two of them, and of one customer at most.';

-- ************************************** "CORE"."FCT_REVIEWS"
CREATE TABLE "CORE"."FCT_REVIEWS"
(
 "REVIEW_ID"       varchar NOT NULL COMMENT 'document _id',
 "IS_DELETED"      boolean NOT NULL COMMENT 'the row is gone',
 "PRODUCT_ID"      number(38,0) COMMENT 'what is reviewed',
 "CUSTOMER_ID"     number(38,0) COMMENT 'who wrote it',
 "RATING"          number(38,0) COMMENT '1 to 5',
 "TITLE"           varchar COMMENT 'the customer''s words; personal',
 "BODY"            varchar COMMENT 'the customer''s words; personal',
 "LANGUAGE"        varchar COMMENT 'ISO 639-1, as the review says',
 "REVIEWED_AT"     timestamp_ntz(6) COMMENT 'when the review was written',
 "DAY"             date COMMENT 'of reviewed_at, in the shop''s zone',
 "TEXT_HASH"       varchar COMMENT 'of title and body: the key of the sentiment',
 "SENTIMENT"       number(6,4) COMMENT '-1 to 1; NULL until the text is scored',
 "SENTIMENT_LABEL" varchar COMMENT 'positive, neutral, negative or mixed',
 "SENTIMENT_MODEL" varchar COMMENT 'model and version',
 "SENTIMENT_ERROR" varchar COMMENT 'code of what the model refused',
 "SCORED_AT"       timestamp_ntz(6) COMMENT 'when the sentiment was found',
 "EVENT_TS"        timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"        timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"          varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"        number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_FCT_REVIEWS" PRIMARY KEY ( "REVIEW_ID" ),
 CONSTRAINT "FK_FCT_REVIEWS_CUSTOMER_ID" FOREIGN KEY ( "CUSTOMER_ID" ) REFERENCES "MART"."MART_CUSTOMER_360" ( "CUSTOMER_ID" ),
 CONSTRAINT "LINK_FCT_REVIEWS_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" )
)
COMMENT = 'Product reviews with the sentiment of their words; it follows the review.';

-- ************************************** "CORE"."FCT_SALES_MOVES"
CREATE TABLE "CORE"."FCT_SALES_MOVES"
(
 "ORDER_ID"         varchar NOT NULL COMMENT 'of the sale',
 "LINE_NO"          number(38,0) NOT NULL COMMENT 'of the sale',
 "DIMENSION"        varchar NOT NULL COMMENT 'dim_customer or dim_product',
 "SOURCE_KEY"       number(38,0) COMMENT 'customer_id or product_id of the sale, as it is now',
 "FACT_TS"          timestamp_ntz(6) COMMENT 'ordered_at of the sale, as it is now',
 "FROM_MATCH"       varchar NOT NULL COMMENT 'exact, early, gap, inferred or none',
 "FROM_VERSION_KEY" varchar COMMENT 'NULL for none, and for a product without versions',
 "TO_MATCH"         varchar NOT NULL COMMENT 'exact, early, gap, inferred or none',
 "TO_VERSION_KEY"   varchar COMMENT 'NULL for none, and for a product without versions',
 "CAUSE"            varchar NOT NULL COMMENT 'dimension: a change of the history; fact: of the sale''s own key or time; roles: folded again',
 "CAUSE_OP"         varchar COMMENT 'of the change that explains the move, where the cause is the dimension: c, u, r, d or t',
 "CAUSE_SEQ_POS"    number(38,0) COMMENT 'its position (SCD2 R3)',
 "CAUSE_SEQ_ORD"    number(38,0) COMMENT 'its ordinal (SCD2 R3)',
 "EVENT_TS"         timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"         timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"           varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"         number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_FCT_SALES_MOVES" PRIMARY KEY ( "ORDER_ID", "LINE_NO", "DIMENSION", "BATCH_ID" ),
 CONSTRAINT "LINK_FCT_SALES_MOVES_ORDER_ID_LINE_NO" FOREIGN KEY ( "ORDER_ID", "LINE_NO" ) REFERENCES "CORE"."FCT_SALES" ( "ORDER_ID", "LINE_NO" )
)
COMMENT = 'Sales that came to point at another version: one row for each sale, dimension and batch in which its target changed (SCD2 R21).';

-- ************************************** "CORE"."FCT_PAGE_EVENTS"
CREATE TABLE "CORE"."FCT_PAGE_EVENTS"
(
 "EVENT_ID"           varchar NOT NULL COMMENT 'document _id',
 "IS_DELETED"         boolean NOT NULL COMMENT 'the row is gone',
 "SESSION_ID"         varchar COMMENT 'of gold.fct_sessions; NULL for an event without visitor or time',
 "VISITOR_ID"         varchar COMMENT 'cookie of the browser',
 "CUSTOMER_ID"        number(38,0) COMMENT 'who the visitor turned out to be; NULL while nobody knows',
 "IDENTITY"           varchar COMMENT 'own (named in this session), later or earlier (in another session of the visitor), none',
 "SOURCE_SESSION_ID"  varchar COMMENT 'as the browser sent it',
 "SOURCE_CUSTOMER_ID" number(38,0) COMMENT 'as the browser sent it: NULL until the visitor logs in',
 "EVENT_TYPE"         varchar COMMENT 'view, search, cart, checkout, login',
 "PRODUCT_ID"         number(38,0) COMMENT 'the product on the page; NULL on other pages',
 "PAGE"               varchar COMMENT 'path of the page',
 "DEVICE"             varchar COMMENT 'desktop, mobile or tablet',
 "CAMPAIGN_ID"        varchar COMMENT 'campaign that brought the visit',
 "OCCURRED_AT"        timestamp_ntz(6) COMMENT 'time at the browser',
 "DAY"                date COMMENT 'of occurred_at, in the shop''s zone',
 "EVENT_TS"           timestamp_ntz(6) COMMENT 'commit time at the source of the change that made this row',
 "KAFKA_TS"           timestamp_ntz(6) COMMENT 'append time of its Kafka record',
 "ORIGIN"             varchar COMMENT 'topic/partition/offset of that record',
 "BATCH_ID"           number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_FCT_PAGE_EVENTS" PRIMARY KEY ( "EVENT_ID" ),
 CONSTRAINT "FK_FCT_PAGE_EVENTS_SESSION_ID" FOREIGN KEY ( "SESSION_ID" ) REFERENCES "CORE"."FCT_SESSIONS" ( "SESSION_ID" ),
 CONSTRAINT "FK_FCT_PAGE_EVENTS_CAMPAIGN_ID" FOREIGN KEY ( "CAMPAIGN_ID" ) REFERENCES "CORE"."DIM_CAMPAIGN" ( "CAMPAIGN_ID" ),
 CONSTRAINT "LINK_FCT_PAGE_EVENTS_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" ),
 CONSTRAINT "LINK_FCT_PAGE_EVENTS_CUSTOMER_ID" FOREIGN KEY ( "CUSTOMER_ID" ) REFERENCES "MART"."MART_CUSTOMER_360" ( "CUSTOMER_ID" )
)
COMMENT = 'Page events with the session they belong to and the customer that the visitor turned out to be.';

-- ************************************** "MART"."MART_ATTRIBUTION"
CREATE TABLE "MART"."MART_ATTRIBUTION"
(
 "ORDER_ID"    varchar NOT NULL COMMENT 'the order',
 "TOUCH_NO"    number(38,0) NOT NULL COMMENT '1 is the first; 0 for an order without a campaign visit',
 "IS_DELETED"  boolean NOT NULL COMMENT 'the row is gone',
 "CAMPAIGN_ID" varchar COMMENT 'of the visit; without one the order''s own, direct for none',
 "SESSION_ID"  varchar COMMENT 'the visit; NULL for an order without a campaign visit',
 "TOUCHED_AT"  timestamp_ntz(6) COMMENT 'start of the session',
 "TOUCHES"     number(38,0) COMMENT 'of the order',
 "CUSTOMER_ID" number(38,0) COMMENT 'who ordered; NULL for a guest',
 "ORDERED_AT"  timestamp_ntz(6) COMMENT 'when the order was placed',
 "DAY"         date COMMENT 'of ordered_at, in the shop''s zone',
 "STATUS"      varchar COMMENT 'of the order',
 "CURRENCY"    varchar COMMENT 'ISO 4217, of the order',
 "AMOUNT"      number(18,2) COMMENT 'of the order',
 "FIRST_TOUCH" number(18,2) COMMENT 'all of the amount on the first touch',
 "LAST_TOUCH"  number(18,2) COMMENT 'all of the amount on the last touch',
 "LINEAR"      number(18,2) COMMENT 'equal shares; together the amount, to the cent',
 "BATCH_ID"    number(38,0) NOT NULL COMMENT 'lake batch that appended this row',

 CONSTRAINT "PK_MART_ATTRIBUTION" PRIMARY KEY ( "ORDER_ID", "TOUCH_NO" ),
 CONSTRAINT "LINK_MART_ATTRIBUTION_CAMPAIGN_ID" FOREIGN KEY ( "CAMPAIGN_ID" ) REFERENCES "CORE"."DIM_CAMPAIGN" ( "CAMPAIGN_ID" ),
 CONSTRAINT "FK_MART_ATTRIBUTION_SESSION_ID" FOREIGN KEY ( "SESSION_ID" ) REFERENCES "CORE"."FCT_SESSIONS" ( "SESSION_ID" ),
 CONSTRAINT "LINK_MART_ATTRIBUTION_DAY" FOREIGN KEY ( "DAY" ) REFERENCES "CORE"."DIM_DATE" ( "DATE" ),
 CONSTRAINT "FK_MART_ATTRIBUTION_CUSTOMER_ID" FOREIGN KEY ( "CUSTOMER_ID" ) REFERENCES "MART"."MART_CUSTOMER_360" ( "CUSTOMER_ID" )
)
COMMENT = 'The campaign visits of the 30 days before an order and the one it was placed in; its amount is shared out among them in three ways.';
