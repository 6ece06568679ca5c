"""Every page of the runbook says what it must, and the program takes its commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.checks import runbook

ROOT = Path(__file__).resolve().parents[3]
PAGE = runbook.FOLDER / "kafka-down.md"


def found(root: Path) -> list[str]:
    return [f"{f.file.name}:{f.line} {f.what}" for f in runbook.check(root) if isinstance(f, runbook.Finding)]


def test_the_committed_pages_have_no_fault() -> None:
    assert found(ROOT) == []
    every = [b for p in (ROOT / runbook.FOLDER).glob("*.md") for b in runbook.blocks(p.read_text())]
    assert {b.run for b in every} == {"show", "repair", "well", "no"}
    assert sum(c.startswith("c360 ") for b in every for c in b.commands) > 60


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("c360 restart kafka", "c360 restrat kafka", "22 `c360 restrat kafka`: No such command 'restrat'."),
        ("c360 restart kafka", "c360 restart", "22 `c360 restart`: Missing argument"),
        ("c360 logs kafka -n 20", "c360 logs kafka --tail 20", "No such option: --tail"),
        ("--timeout 90", "--timeout soon", "Invalid value for '--timeout'"),
        ("run=repair", "run=fix", "has a block that is no run=show, run=repair, run=well, run=no"),
        ("run=repair", "run=no", "does not say why a block is not run"),
        ("**It may be**", "**Causes**", "has no paragraph that begins with '**It may be**'"),
        ("It is well when", "It is fine when", "has no paragraph that begins with 'It is well when'"),
        ("of Event Hubs", "`C360_KAFKA__PASSWORD`", "there is no setting C360_KAFKA__PASSWORD"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, old: str, new: str, what: str) -> None:
    shutil.copytree(ROOT / runbook.FOLDER, tmp_path / runbook.FOLDER)
    text = (tmp_path / PAGE).read_text()
    assert old in text
    (tmp_path / PAGE).write_text(text.replace(old, new, 1))
    assert [line for line in found(tmp_path) if what in line], found(tmp_path)


def test_pages_without_commands_and_folders_without_pages_are_found(tmp_path: Path) -> None:
    assert found(tmp_path) == ["runbook:0 has no page"]
    (tmp_path / runbook.FOLDER).mkdir(parents=True)
    (tmp_path / runbook.FOLDER / "x.md").write_text("# x\n")
    assert "x.md:0 has no commands" in found(tmp_path)


@pytest.mark.parametrize(
    ("command", "is_taken"),
    [
        ("c360 logs lake -n 5 | tail", True),
        ("c360 backfill --table reviews --from $(date -u +%F) --to $(date -u -d '2 days ago' +%F)", True),
        ("c360 connect --patience 2 status --rest-only", True),
        ("az monitor metrics list --nonsense", True),
        ("c360 connect --patience soon status", False),
        ("c360 warehouse statsu", False),
    ],
)
def test_arguments_are_read_by_the_program_itself(command: str, is_taken: bool) -> None:
    assert (runbook.refused(command) == "") is is_taken
