-- Where everything stands.

CREATE SCHEMA IF NOT EXISTS {{ database }}.RAW COMMENT = 'Rows as streamed from the lake: logs, with older states of a row and rows of batches that are not complete. Not for readers.';

COMMENT ON SCHEMA {{ database }}.RAW IS 'Rows as streamed from the lake: logs, with older states of a row and rows of batches that are not complete. Not for readers.';

CREATE SCHEMA IF NOT EXISTS {{ database }}.CORE COMMENT = 'The star schema: newest row of each key among complete lake batches.';

COMMENT ON SCHEMA {{ database }}.CORE IS 'The star schema: newest row of each key among complete lake batches.';

CREATE SCHEMA IF NOT EXISTS {{ database }}.MART COMMENT = 'What analysts read first: one row a customer, a product and day, a minute.';

COMMENT ON SCHEMA {{ database }}.MART IS 'What analysts read first: one row a customer, a product and day, a minute.';

CREATE SCHEMA IF NOT EXISTS {{ database }}.OPS COMMENT = 'How the warehouse is loaded, changed and opened: batches, migrations, entitlements.';

COMMENT ON SCHEMA {{ database }}.OPS IS 'How the warehouse is loaded, changed and opened: batches, migrations, entitlements.';
