-- Tables of OPS that only the warehouse has.

COMMENT ON TABLE {{ database }}.OPS.CHANGE_HISTORY IS 'Migrations that were run; kept by `c360 warehouse apply` and by schemachange alike.';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.VERSION IS 'of a versioned script, else empty';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.DESCRIPTION IS 'the script''s name in words';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.SCRIPT IS 'file name';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.SCRIPT_TYPE IS 'V versioned, R repeatable, A always';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.CHECKSUM IS 'SHA-224 of the rendered script';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.EXECUTION_TIME IS 'seconds';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.STATUS IS 'Success, or Failed (schemachange only)';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.INSTALLED_BY IS 'user';

COMMENT ON COLUMN {{ database }}.OPS.CHANGE_HISTORY.INSTALLED_ON IS 'when the script had ended';

CREATE TABLE IF NOT EXISTS {{ database }}.OPS.MIGRATION_LEASE AS SELECT CAST('' AS VARCHAR) AS HOLDER, CAST('1970-01-01' AS TIMESTAMP_NTZ) AS HELD_UNTIL;

COMMENT ON TABLE {{ database }}.OPS.MIGRATION_LEASE IS 'One row: who migrates just now. `c360 warehouse apply` refuses while somebody else does.';

COMMENT ON COLUMN {{ database }}.OPS.MIGRATION_LEASE.HOLDER IS 'host and process';

COMMENT ON COLUMN {{ database }}.OPS.MIGRATION_LEASE.HELD_UNTIL IS 'UTC; renewed before each statement';

CREATE TABLE IF NOT EXISTS {{ database }}.OPS.ENTITLEMENTS (
  "ROLE_NAME" VARCHAR NOT NULL COMMENT 'a role as CURRENT_ROLE() names it',
  "COUNTRY" VARCHAR NOT NULL COMMENT 'ISO 3166-1 alpha-2, as dim_customer has it'
)
COMMENT = 'Countries that a role may see in views with a country. A role without a row here sees all of them.';
