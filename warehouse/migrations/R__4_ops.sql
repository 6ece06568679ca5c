-- Made from schemas/ by `make docs`: change it there.

CREATE OR REPLACE VIEW {{ database }}.OPS.FRESHNESS (
  "BATCH_ID" COMMENT 'newest complete lake batch',
  "COMMITTED_AT" COMMENT 'when the lake had written it',
  "RECORDS" COMMENT 'Kafka records of all batches',
  "REJECTED" COMMENT 'of them dead letters'
)
COPY GRANTS
COMMENT = 'How far the warehouse is: the newest complete lake batch, and what all of them brought.'
AS
SELECT MAX(batch_id) AS batch_id, MAX(committed_at) AS committed_at, CAST(SUM(records) AS NUMBER(38,0)) AS records, CAST(SUM(rejected) AS
NUMBER(38,0)) AS rejected FROM OPS.LAKE_BATCHES;
