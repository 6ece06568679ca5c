"""The warehouse: its tables and views (from the contracts), the client, the loader."""
