"""Load tests: what a run found, whether it holds its thresholds, and the reports of it."""
