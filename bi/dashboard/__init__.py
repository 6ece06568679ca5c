"""The live page: one page that shows every stage of the platform while it runs."""
