"""A local Snowflake for the real snowflake-connector-python 4.8 and the real snowpipe-streaming 1.9 SDK, over one DuckDB.

SQL is fakesnow's engine behind its HTTP protocol, with an account of its own: users with key pairs, roles, grants, masking and row access
policies. Snowpipe Streaming is ours, over HTTPS with a private CA. Rows and the offset token of a channel are committed in one DuckDB
transaction, so what a client reads back after a crash is what it may resume from.

Where it deviates from the real one: `deviations.DEVIATIONS`, shown by `c360 warehouse deviations`.
"""
