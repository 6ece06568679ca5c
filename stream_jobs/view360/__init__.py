"""Behaviour linked to sales: sessions, identity, reviews with sentiment, marts. The rules are in docs/model.md.

Everything here but `memory` and `view` is pure: rows in, rows out. `view` keeps the tables up to date batch by batch.
"""
