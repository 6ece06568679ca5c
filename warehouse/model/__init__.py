"""The star schema as a model: a script that SqlDBM imports, its exports compared with what there is, and diagrams of it."""
