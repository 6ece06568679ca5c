"""Days of history repaired: what differs is found here, and handed to the lake job, which alone writes (docs/backfill.md)."""
