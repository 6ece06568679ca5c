"""Type 2 history as a pure function of the set of changes. The rules (R1 to R24) are those of docs/scd2.md."""
