"""Stand-ins for cloud services that cannot run on a laptop. Each opens with a table of where it deviates."""
