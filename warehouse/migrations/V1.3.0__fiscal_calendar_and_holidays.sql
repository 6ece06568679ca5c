-- Fiscal calendar and holidays.

ALTER TABLE {{ database }}.RAW.DIM_DATE ADD COLUMN IF NOT EXISTS "FISCAL_YEAR" NUMBER(38,0) COMMENT 'named after the calendar year in which it ends';
ALTER TABLE {{ database }}.RAW.DIM_DATE ADD COLUMN IF NOT EXISTS "FISCAL_QUARTER" NUMBER(38,0) COMMENT '1 to 4, within the fiscal year';
ALTER TABLE {{ database }}.RAW.DIM_DATE ADD COLUMN IF NOT EXISTS "FISCAL_MONTH" NUMBER(38,0) COMMENT '1 to 12, within the fiscal year';

CREATE TABLE IF NOT EXISTS {{ database }}.RAW.DIM_HOLIDAY (
  "DATE_KEY" NUMBER(38,0) NOT NULL COMMENT 'yyyymmdd',
  "COUNTRY" VARCHAR NOT NULL COMMENT 'ISO 3166-1 alpha-2',
  "DATE" DATE NOT NULL COMMENT 'the day',
  "NAME" VARCHAR COMMENT 'English where the library has it, else the country''s own; several on one day with semicolons between',
  "IS_OBSERVED" BOOLEAN COMMENT 'kept on this day because the holiday''s own day is no working day',
  "IS_DELETED" BOOLEAN NOT NULL COMMENT 'no holiday any more: another list of countries, or the library knows better',
  "BATCH_ID" NUMBER(38,0) NOT NULL COMMENT 'lake batch that appended this row'
)
ENABLE_SCHEMA_EVOLUTION = TRUE
ERROR_LOGGING = TRUE
COMMENT = 'Public holidays of whole countries, one row a day and country; those of a region only are not here.';
