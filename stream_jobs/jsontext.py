"""JSON text, quickly: `JSONEncoder.encode` makes the encoder in C anew at each call, which is half of the time of a small value."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as parts
from typing import Any


def writer(sort_keys: bool = False) -> Callable[[Any], str]:
    """A function that writes a value without spaces and escapes, as `json.dumps` does, but for values that contain themselves."""
    plain = json.JSONEncoder(sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    make = getattr(parts, "c_make_encoder", None)
    if make is None:  # no C code in this Python
        return plain.encode
    pieces = make(None, plain.default, parts.encode_basestring, None, ":", ",", sort_keys, False, True)
    join = "".join
    return lambda value: join(pieces(value, 0))
