"""A local Snowflake for the real snowflake-connector-python 4.8 and the real snowpipe-streaming 1.9 SDK, over one DuckDB.

SQL is fakesnow's engine behind its HTTP protocol; Snowpipe Streaming is ours, over HTTPS with a private CA. Rows and the offset token of a
channel are committed in one DuckDB transaction, so what a client reads back after a crash is what it may resume from.

Where it deviates from the real one:

| Snowflake | here |
|---|---|
| PRIMARY KEY, UNIQUE, FOREIGN KEY are not enforced | removed from DDL before it runs (DuckDB would enforce them) |
| warehouses, roles, grants, streams, tasks, pipes, policies | accepted and ignored |
| key-pair JWT | signature checked against the one minted key; account, user and expiry are not |
| password | not checked |
| concurrent DML waits for locks | statements that write run one at a time; rows that another open transaction changed: refused at once |
| timestamps have nanoseconds | microseconds |
| VARCHAR lengths, time travel, clustering, dynamic tables | not kept |
| a row that does not fit goes to an error table | the request is refused and the channel becomes invalid |
| rows become visible some seconds after a flush | at once |
| stages | lost at a restart |
"""
