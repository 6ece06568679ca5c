"""The shop: its catalogue, its people, what they do, and the writers that let it happen in PostgreSQL, MongoDB and Kafka.

The simulation (catalogue, people, baskets, sessions, reviews, history) is pure: a seeded `random.Random` and moments come in,
values come out, and the same seed gives the same bytes. `seed` and `shop` are the edges.
"""
