-- The shop's own database: what Debezium reads. Every captured table has REPLICA IDENTITY FULL, so that deletes and updates
-- carry the whole row before, and no primary key is deferrable (a swap inside one transaction cannot be ordered from the WAL).
CREATE SCHEMA IF NOT EXISTS sales;

CREATE TABLE IF NOT EXISTS sales.customers (
    customer_id        bigint PRIMARY KEY,
    email              text,
    full_name          text NOT NULL,
    city               text,
    country            text,
    tier               text NOT NULL DEFAULT 'bronze',
    marketing_consent  boolean NOT NULL DEFAULT false,
    points             bigint NOT NULL DEFAULT 0,
    last_login_at      timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS sales.products (
    product_id   bigint PRIMARY KEY,
    sku          text NOT NULL,
    name         text NOT NULL,
    description  text,
    category     text NOT NULL,
    price        numeric(12, 2) NOT NULL,
    cost         numeric(12, 2),
    active       boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS sales.orders (
    order_id     text PRIMARY KEY,
    customer_id  bigint NOT NULL,
    status       text NOT NULL,
    currency     text NOT NULL DEFAULT 'EUR',
    campaign_id  text,
    visitor_id   text,
    ordered_at   timestamptz NOT NULL
);
ALTER TABLE sales.orders ADD COLUMN IF NOT EXISTS visitor_id text; -- for a database that is older than the column

CREATE TABLE IF NOT EXISTS sales.order_items (
    order_id    text NOT NULL,
    line_no     integer NOT NULL,
    product_id  bigint NOT NULL,
    quantity    integer NOT NULL,
    unit_price  numeric(12, 2) NOT NULL,
    discount    numeric(12, 2) NOT NULL DEFAULT 0,
    unit_cost   numeric(12, 2),
    PRIMARY KEY (order_id, line_no)
);

-- Debezium: signals start incremental snapshots, the heartbeat row keeps the slot moving when the tables are quiet.
CREATE TABLE IF NOT EXISTS sales.dbz_signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text);
CREATE TABLE IF NOT EXISTS sales.dbz_heartbeat (id integer PRIMARY KEY, ts timestamptz);
INSERT INTO sales.dbz_heartbeat VALUES (1, now()) ON CONFLICT DO NOTHING;

ALTER TABLE sales.customers REPLICA IDENTITY FULL;
ALTER TABLE sales.products REPLICA IDENTITY FULL;
ALTER TABLE sales.orders REPLICA IDENTITY FULL;
ALTER TABLE sales.order_items REPLICA IDENTITY FULL;
