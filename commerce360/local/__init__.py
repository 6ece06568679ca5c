"""The whole platform on one machine: its services, who supervises them, and what they need before they can start."""

# In the order of their start; they stop in reverse.
SERVICES = ("page", "postgres", "mongo", "kafka", "registry", "warehouse", "lake", "sentiment", "connect", "loader", "shop")
AZURITE = "azurite"  # before them, where the lake is on ADLS
EVERY = (AZURITE, *SERVICES)
