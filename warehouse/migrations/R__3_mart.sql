-- Made from schemas/ by `make docs`: change it there.

CREATE OR REPLACE VIEW {{ database }}.MART.MART_CUSTOMER_360 (
  "CUSTOMER_ID" COMMENT 'the customer',
  "IS_DELETED" COMMENT 'the row is gone',
  "IS_KNOWN" COMMENT 'has a current row in dim_customer',
  "COUNTRY" COMMENT 'ISO 3166-1 alpha-2, of the current version',
  "TIER" COMMENT 'level of the loyalty programme, of the current version',
  "EMAIL_MASKED" COMMENT 'first letter and domain; behind the columns of which the lake keeps statistics',
  "MARKETING_CONSENT" COMMENT 'agreed to be written to, in the current version',
  "FIRST_ORDER_AT" COMMENT 'of the orders in orders',
  "LAST_ORDER_AT" COMMENT 'of the orders in orders',
  "ORDERS" COMMENT 'not cancelled; returned ones count',
  "CANCELLED_ORDERS" COMMENT 'orders with status cancelled',
  "RETURNED_ORDERS" COMMENT 'orders with status returned',
  "RETURN_RATE" COMMENT 'returned_orders / orders',
  "UNITS" COMMENT 'of orders that are not cancelled',
  "LIFETIME_VALUE" COMMENT 'in the shop''s currency; cancelled and returned orders left out',
  "AVERAGE_ORDER_VALUE" COMMENT 'of the orders in lifetime_value',
  "OTHER_CURRENCY_ORDERS" COMMENT 'not cancelled, and in another currency: their money is in no sum',
  "FAVOURITE_CATEGORY" COMMENT 'most units; as the products were filed when they were ordered',
  "SESSIONS" COMMENT 'visits of the customer',
  "SESSIONS_7D" COMMENT 'of the last 7 days',
  "SESSIONS_30D" COMMENT 'of the last 30 days',
  "LAST_SESSION_AT" COMMENT 'start of the last visit',
  "ABANDONED_CARTS" COMMENT 'sessions with a cart and no order',
  "REVIEWS" COMMENT 'reviews by the customer',
  "AVERAGE_RATING" COMMENT '1 to 5, of the reviews with a rating',
  "AVERAGE_SENTIMENT" COMMENT '-1 to 1, of the reviews that are scored',
  "LAST_CONTACT_AT" COMMENT 'last order, session or review',
  "RECENCY_SCORE" COMMENT '0 to 5',
  "FREQUENCY_SCORE" COMMENT '0 to 5',
  "MONETARY_SCORE" COMMENT '0 to 5',
  "RFM_CELL" COMMENT 'the three scores as digits',
  "CHURN_SCORE" COMMENT '0 to 100',
  "CHURN_RISK" COMMENT 'none (never ordered), low, medium or high',
  "CHURN_REASONS" COMMENT 'JSON list, weightiest first',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
WITH ROW ACCESS POLICY {{ database }}.OPS.BY_COUNTRY ON (COUNTRY)
COPY GRANTS
COMMENT = 'One row a customer: who it is, what it bought, how it behaves, and whether it is about to leave. No name, no address.'
AS
SELECT * FROM (SELECT "CUSTOMER_ID", "IS_DELETED", "IS_KNOWN", "COUNTRY", "TIER", "EMAIL_MASKED", "MARKETING_CONSENT", "FIRST_ORDER_AT",
"LAST_ORDER_AT", "ORDERS", "CANCELLED_ORDERS", "RETURNED_ORDERS", "RETURN_RATE", "UNITS", "LIFETIME_VALUE", "AVERAGE_ORDER_VALUE",
"OTHER_CURRENCY_ORDERS", "FAVOURITE_CATEGORY", "SESSIONS", "SESSIONS_7D", "SESSIONS_30D", "LAST_SESSION_AT", "ABANDONED_CARTS", "REVIEWS",
"AVERAGE_RATING", "AVERAGE_SENTIMENT", "LAST_CONTACT_AT", "RECENCY_SCORE", "FREQUENCY_SCORE", "MONETARY_SCORE", "RFM_CELL", "CHURN_SCORE",
"CHURN_RISK", "CHURN_REASONS", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "CUSTOMER_ID" ORDER BY "BATCH_ID" DESC) AS
newest_rank FROM RAW.MART_CUSTOMER_360 WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS
newest WHERE NOT is_deleted;

CREATE OR REPLACE VIEW {{ database }}.MART.MART_FUNNEL (
  "DAY" COMMENT 'of the start of the sessions, in the shop''s zone',
  "CAMPAIGN_ID" COMMENT 'direct for none',
  "DEVICE" COMMENT 'unknown for none',
  "SESSIONS" COMMENT 'all sessions',
  "VIEWED" COMMENT 'sessions with a view',
  "CARTED" COMMENT 'sessions with something put into the cart',
  "CHECKED_OUT" COMMENT 'sessions with a checkout',
  "PAID" COMMENT 'sessions with an order that is not cancelled',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Sessions by how far they came, for each day, campaign and device.'
AS
SELECT * FROM (SELECT "DAY", "CAMPAIGN_ID", "DEVICE", "SESSIONS", "VIEWED", "CARTED", "CHECKED_OUT", "PAID", "BATCH_ID" FROM (SELECT *,
ROW_NUMBER() OVER (PARTITION BY "DAY", "CAMPAIGN_ID", "DEVICE" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.MART_FUNNEL WHERE BATCH_ID
<= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE sessions > 0;

CREATE OR REPLACE VIEW {{ database }}.MART.MART_ATTRIBUTION (
  "ORDER_ID" COMMENT 'the order',
  "TOUCH_NO" COMMENT '1 is the first; 0 for an order without a campaign visit',
  "IS_DELETED" COMMENT 'the row is gone',
  "CAMPAIGN_ID" COMMENT 'of the visit; without one the order''s own, direct for none',
  "SESSION_ID" COMMENT 'the visit; NULL for an order without a campaign visit',
  "TOUCHED_AT" COMMENT 'start of the session',
  "TOUCHES" COMMENT 'of the order',
  "CUSTOMER_ID" COMMENT 'who ordered; NULL for a guest',
  "ORDERED_AT" COMMENT 'when the order was placed',
  "DAY" COMMENT 'of ordered_at, in the shop''s zone',
  "STATUS" COMMENT 'of the order',
  "CURRENCY" COMMENT 'ISO 4217, of the order',
  "AMOUNT" COMMENT 'of the order',
  "FIRST_TOUCH" COMMENT 'all of the amount on the first touch',
  "LAST_TOUCH" COMMENT 'all of the amount on the last touch',
  "LINEAR" COMMENT 'equal shares; together the amount, to the cent',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'The campaign visits of the 30 days before an order and the one it was placed in; its amount is shared out among them in three ways.'
AS
SELECT * FROM (SELECT "ORDER_ID", "TOUCH_NO", "IS_DELETED", "CAMPAIGN_ID", "SESSION_ID", "TOUCHED_AT", "TOUCHES", "CUSTOMER_ID",
"ORDERED_AT", "DAY", "STATUS", "CURRENCY", "AMOUNT", "FIRST_TOUCH", "LAST_TOUCH", "LINEAR", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER
(PARTITION BY "ORDER_ID", "TOUCH_NO" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.MART_ATTRIBUTION WHERE BATCH_ID <= (SELECT
MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE NOT is_deleted;

CREATE OR REPLACE VIEW {{ database }}.MART.MART_PRODUCT_PULSE (
  "PRODUCT_ID" COMMENT 'the product',
  "DAY" COMMENT 'of the session, the order or the review, in the shop''s zone',
  "VIEWS" COMMENT 'page events of type view',
  "SESSIONS" COMMENT 'sessions that viewed it',
  "CARTS" COMMENT 'page events that put it into the cart',
  "ORDERS" COMMENT 'with this product, not cancelled',
  "UNITS" COMMENT 'of orders that are not cancelled',
  "RETURNED_UNITS" COMMENT 'units of returned orders',
  "REVENUE" COMMENT 'in the shop''s currency; cancelled and returned orders left out',
  "OTHER_CURRENCY_ORDERS" COMMENT 'not cancelled, and in another currency',
  "REVIEWS" COMMENT 'reviews of the product',
  "RATED_REVIEWS" COMMENT 'reviews with a rating',
  "RATING_SUM" COMMENT 'of the rated reviews',
  "SCORED_REVIEWS" COMMENT 'reviews with a sentiment',
  "SENTIMENT_SUM" COMMENT 'of the scored reviews',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'What happened to a product on a day: looked at, bought, returned, reviewed. Sums only: rates follow from them at any grain.'
AS
SELECT * FROM (SELECT "PRODUCT_ID", "DAY", "VIEWS", "SESSIONS", "CARTS", "ORDERS", "UNITS", "RETURNED_UNITS", "REVENUE",
"OTHER_CURRENCY_ORDERS", "REVIEWS", "RATED_REVIEWS", "RATING_SUM", "SCORED_REVIEWS", "SENTIMENT_SUM", "BATCH_ID" FROM (SELECT *,
ROW_NUMBER() OVER (PARTITION BY "PRODUCT_ID", "DAY" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM RAW.MART_PRODUCT_PULSE WHERE BATCH_ID <=
(SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE views + carts + orders + reviews +
returned_units > 0;

CREATE OR REPLACE VIEW {{ database }}.MART.MART_REVENUE_MINUTE (
  "MINUTE" COMMENT 'start of the minute in which the orders were placed, UTC',
  "CURRENCY" COMMENT 'XXX for none',
  "ORDERS" COMMENT 'all orders placed',
  "WEB_ORDERS" COMMENT 'announced by the web shop',
  "CANCELLED_ORDERS" COMMENT 'of them with status cancelled',
  "RETURNED_ORDERS" COMMENT 'of them with status returned',
  "UNITS" COMMENT 'units of all orders',
  "GROSS_REVENUE" COMMENT 'of all orders',
  "NET_REVENUE" COMMENT 'cancelled and returned orders left out',
  "BATCH_ID" COMMENT 'lake batch that appended this row'
)
COPY GRANTS
COMMENT = 'Orders and their worth for each minute and currency.'
AS
SELECT * FROM (SELECT "MINUTE", "CURRENCY", "ORDERS", "WEB_ORDERS", "CANCELLED_ORDERS", "RETURNED_ORDERS", "UNITS", "GROSS_REVENUE",
"NET_REVENUE", "BATCH_ID" FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY "MINUTE", "CURRENCY" ORDER BY "BATCH_ID" DESC) AS newest_rank FROM
RAW.MART_REVENUE_MINUTE WHERE BATCH_ID <= (SELECT MAX(BATCH_ID) FROM OPS.LAKE_BATCHES)) AS ranked WHERE newest_rank = 1) AS newest WHERE
orders > 0;
