"""Texts are those of `json.dumps`: SCD2's tie rule compares them, and tables hold them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.jsontext import writer

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner), max_leaves=12)


@given(value=VALUES, sort_keys=st.booleans())
def test_it_writes_what_json_writes(value: object, sort_keys: bool) -> None:
    assert writer(sort_keys)(value) == json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        writer()({"a": object()})


def test_without_the_encoder_in_c_it_is_slower_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_jobs.jsontext.parts.c_make_encoder", None)
    assert writer(sort_keys=True)({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
