"""The ledger as a command: what entered equals what came out, for every table, key by key, stage by stage."""
