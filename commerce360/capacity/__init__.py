"""What a rate of events takes: partitions, brokers, cores, files, channels, and the cost of a month. docs/scale.md has the reasoning."""
