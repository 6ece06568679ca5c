"""The rules of history (docs/scd2.md) as cases, run against every engine: the Python fold, the lake job, the warehouse."""
