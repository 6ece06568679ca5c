"""For every tier."""

from hypothesis import settings

settings.register_profile("c360", deadline=None)  # no test is timed: machines are shared
settings.load_profile("c360")
