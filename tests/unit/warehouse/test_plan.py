"""Which scripts are to run on a warehouse with a history."""

import pytest

from commerce360.settings import Warehouse
from warehouse import apply
from warehouse.apply import plan
from warehouse.history import Done
from warehouse.scripts import Script

VALUES = {"database": "X"}
FIRST, SECOND = Script("V1.0.0__a.sql", "SELECT 1"), Script("V1.10.0__b.sql", "SELECT 2")
VIEWS, ALWAYS = Script("R__views.sql", "SELECT 3"), Script("A__look.sql", "SELECT 4")


def done(*scripts):
    versions = [s.version for s in scripts if s.version]
    return Done({s.name: s.checksum(VALUES) for s in scripts}, versions[-1] if versions else "")


def whys(found, before):
    return [step.why for step in plan(found, before, VALUES)]


def test_everything_is_new_on_a_warehouse_without_a_history():
    assert whys([FIRST, SECOND, VIEWS], Done({})) == ["new", "new", "new"]


def test_what_was_run_is_not_run_again_but_for_scripts_of_every_time():
    assert whys([FIRST, SECOND, VIEWS, ALWAYS], done(FIRST, SECOND, VIEWS)) == ["", "", "", "always"]


def test_a_repeatable_script_runs_again_when_it_is_another_one():
    changed = Script(VIEWS.name, "SELECT 33")
    assert whys([FIRST, changed], done(FIRST, VIEWS)) == ["", "changed"]


def test_repeatable_scripts_are_run_again_when_that_is_asked_for():
    steps = plan([FIRST, VIEWS], done(FIRST, VIEWS), VALUES, repeat=True)
    assert [step.why for step in steps] == ["", "again"]


def test_a_versioned_script_that_was_changed_is_refused():
    (step,) = plan([Script(FIRST.name, "SELECT 11")], done(FIRST), VALUES)
    assert not step.runs
    assert "changed after it had been run" in step.refused.message


@pytest.mark.parametrize(("version", "refused"), [("1.2.0", True), ("1.10.0", True), ("1.11.0", False), ("2", False)])
def test_a_versioned_script_that_comes_too_late_is_refused(version, refused):
    (step,) = plan([Script(f"V{version}__late.sql", "SELECT 5")], done(FIRST, SECOND), VALUES)
    assert (step.refused is not None) == refused
    assert step.runs != refused


def test_the_databases_name_in_small_letters_is_the_same_database():
    small, large = (apply.variables(Warehouse(database=name)) for name in ("shop_dwh", "SHOP_DWH"))
    script = Script("V1.0.0__a.sql", "CREATE SCHEMA {{ database }}.A;")
    done = Done({script.name: script.checksum(large)}, "1.0.0")
    assert [step.why for step in plan([script], done, small)] == [""]
