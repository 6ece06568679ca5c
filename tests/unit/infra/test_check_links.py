from __future__ import annotations

from pathlib import Path

from infra.checks import links
from infra.checks.__main__ import ROOT


def test_all_links_of_our_pages_lead_somewhere():
    assert [str(f) for f in links.check(ROOT)] == []


def test_a_link_to_nowhere_is_found(tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text(
        "see [b](b.md#part), [the web](https://example.com), [up](../README.md)\n```\n[no link](x.md)\n```\n[c](c.md)\n"
    )
    (docs / "b.md").write_text("")
    (tmp_path / "README.md").write_text("[docs](docs)")
    assert [str(f).splitlines()[0] for f in links.check(tmp_path)] == ["docs/a.md:5: c.md is not there"]
