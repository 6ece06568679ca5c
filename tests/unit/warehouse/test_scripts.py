"""Migration files as schemachange reads them: names, order, rendering, checksum."""

import hashlib

import pytest

from commerce360.errors import ConfigError
from warehouse.scripts import Script, order, read


def test_versions_come_by_number_then_repeatables_then_those_of_every_time(tmp_path):
    for name in ("A__z.sql", "R__10_b.sql", "R__9_a.sql", "V1.0.10__x.sql", "V1.0.9__y.sql", "v1.1__z.sql", "r__11_c.sql"):
        (tmp_path / name).write_text("SELECT 1")
    names = ["V1.0.9__y.sql", "V1.0.10__x.sql", "v1.1__z.sql", "R__9_a.sql", "R__10_b.sql", "r__11_c.sql", "A__z.sql"]
    assert [s.name for s in read(tmp_path)] == names


def test_a_script_says_its_kind_version_and_description():
    script = Script("V1.10.0__add_birth_day.sql", "")
    assert (script.kind, script.version, script.description) == ("V", "1.10.0", "Add birth day")
    assert (Script("R__1_core_views.sql", "").version, Script("r__x.sql", "").kind) == ("", "R")
    assert order("1.0.10") > order("1.0.9")
    assert order("1.0.10") < order("1.1")


@pytest.mark.parametrize("name", ["V1.0.0_one.sql", "X__a.sql", "V__no_version.sql", "notes.sql"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(ConfigError, match="no name of a migration"):
        read(tmp_path)


def test_a_version_and_a_name_are_there_once(tmp_path):
    (tmp_path / "V1__a.sql").write_text("SELECT 1")
    (tmp_path / "V1__b.sql").write_text("SELECT 1")
    with pytest.raises(ConfigError, match="one version"):
        read(tmp_path)
    (tmp_path / "V1__b.sql").unlink()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "v1__A.sql").write_text("SELECT 1")
    with pytest.raises(ConfigError, match="twice"):
        read(tmp_path)


def test_the_checksum_is_of_the_rendered_text_without_its_last_semicolon():
    values = {"database": "SHOP"}
    script = Script("R__a.sql", "\n-- a\nUSE {{database}};\nSELECT '{{ database }}.X' ;\n\n")
    rendered = "-- a\nUSE SHOP;\nSELECT 'SHOP.X' "
    assert script.render(values) == rendered
    assert script.checksum(values) == hashlib.sha224(rendered.encode()).hexdigest()
    assert script.checksum({"database": "OTHER"}) != script.checksum(values)


def test_a_variable_without_a_value_and_other_jinja_are_refused():
    with pytest.raises(ConfigError, match="tier has no value"):
        Script("R__a.sql", "SELECT {{ tier }}").render({"database": "X"})
    for text in ("{% if x %}SELECT 1{% endif %}", "SELECT {{ database | upper }}", "{# note #} SELECT 1"):
        with pytest.raises(ConfigError, match="Jinja beyond"):
            Script("R__a.sql", text).render({"database": "X"})


def test_our_own_scripts_can_be_rendered_and_taken_apart():
    found = read()
    assert [s.kind for s in found] == sorted((s.kind for s in found), key="VRA".index)
    assert len([statement for s in found for statement in s.statements({"database": "X"})]) > 100
