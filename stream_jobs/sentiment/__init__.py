"""The sentiment of reviews: a service of its own beside the lake job, `python -m stream_jobs.sentiment`.

    web.shop.reviews -> text -> cache? -> scorer -> cache (outbox) -> ai.shop.sentiment -> marked -> offset committed

The answer to a text is on disk before anything else happens with it, so a service that is killed asks again only for what was
under way. Imports nothing by itself: the lake job takes `text.text_hash` from here.
"""
