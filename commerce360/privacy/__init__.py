"""A person is taken out of every store of the platform: their words are replaced, their numbers stay. docs/privacy.md has the rules."""
