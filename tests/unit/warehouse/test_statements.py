"""SQL text into statements: what ends one, and what only looks like an end."""

import pytest

from commerce360.errors import ConfigError
from warehouse.statements import split


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1", ["SELECT 1"]),
        (";;\n ; SELECT 1 ;\n;", ["SELECT 1"]),
        ("COMMENT ON TABLE T IS 'first; then'", ["COMMENT ON TABLE T IS 'first; then'"]),
        ("SELECT 'it''s; so', 'a\\'; b'; SELECT 2", ["SELECT 'it''s; so', 'a\\'; b'", "SELECT 2"]),
        ('SELECT "a;""b"; SELECT 2', ['SELECT "a;""b"', "SELECT 2"]),
        ("EXECUTE IMMEDIATE $$BEGIN x; END;$$; SELECT 2", ["EXECUTE IMMEDIATE $$BEGIN x; END;$$", "SELECT 2"]),
        ("-- one; two\nSELECT 1; // three; 'four\nSELECT /* five; */ 2", ["SELECT 1", "SELECT /* five; */ 2"]),
        ("SELECT 'https://x'; SELECT '--'; -- end", ["SELECT 'https://x'", "SELECT '--'"]),
        ("/* a */ -- b\n", []),
        ("BEGIN; BEGIN TRANSACTION; COMMIT", ["BEGIN", "BEGIN TRANSACTION", "COMMIT"]),
    ],
)
def test_statements_end_at_semicolons_outside_of_quotes_and_comments(text, wanted):
    assert split(text) == wanted


@pytest.mark.parametrize("text", ["SELECT 'x", 'SELECT 1; SELECT "x; y', "EXECUTE IMMEDIATE $$x;", "SELECT 1 /* never ends;"])
def test_a_quote_that_does_not_end_is_refused(text):
    with pytest.raises(ConfigError, match="does not end"):
        split(text)


@pytest.mark.parametrize("text", ["BEGIN SELECT 1; END;", "SELECT 1;\ndeclare x int; begin x := 1; end;"])
def test_a_scripting_block_that_would_be_torn_apart_is_refused(text):
    with pytest.raises(ConfigError, match="scripting block"):
        split(text)
