-- The newest lake batch that readers see, and all records that were rejected with a reason.
SELECT batch_id, rejected AS rejected_records
FROM OPS.FRESHNESS
