"""Primary keys as Debezium keeps them in an incremental snapshot's offset: a Java `Object[]`, serialized, in hexadecimal digits.

Stream protocol version 5 of Java Object Serialization. Texts, boxed numbers and truth values, and UUIDs are read; a key with anything
else in it (dates, decimals) is not.
"""

from __future__ import annotations

import struct
import uuid
from typing import Any

MAGIC = b"\xac\xed\x00\x05"
NULL, REFERENCE, CLASS, OBJECT, STRING, ARRAY, END = 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x78
FIRST_HANDLE = 0x7E0000
ONLY_SERIALIZABLE = 2  # flags of a class without a writeObject of its own
FORMATS = {"B": ">b", "D": ">d", "F": ">f", "I": ">i", "J": ">q", "S": ">h", "Z": ">?"}
LONG_BITS = 64


class UnreadableKeyError(ValueError):
    """A key of a type that is not read here."""


def decode(text: str) -> tuple[Any, ...]:
    """The key's columns. Raises UnreadableKeyError."""
    try:
        return _Stream(bytes.fromhex(text)).key()
    except (struct.error, IndexError, ValueError, RecursionError) as error:
        raise UnreadableKeyError(str(error)) from error


class _Class:
    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: list[tuple[str, str]] = []  # type code, name
        self.parent: _Class | None = None


class _Stream:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.handles: list[Any] = []

    def key(self) -> tuple[Any, ...]:
        if self._take(4) != MAGIC or self._byte() != ARRAY:
            raise UnreadableKeyError("no array of objects")
        self._class()
        self.handles.append(None)  # the array itself
        return tuple(self._value() for _ in range(self._number(">i")))

    def _value(self) -> Any:
        code = self._byte()
        if code == NULL:
            return None
        if code == STRING:
            return self._new(self._utf())
        if code == REFERENCE:
            return self._referred()
        if code != OBJECT:
            raise UnreadableKeyError(f"element of code {code}")
        found = self._class()
        if found is None:
            raise UnreadableKeyError("an object without a class")
        place = len(self.handles)
        self.handles.append(None)
        self.handles[place] = value = self._object(found)
        return value

    def _object(self, kind: _Class) -> Any:
        lines: list[_Class] = []
        line: _Class | None = kind
        while line is not None:
            lines.insert(0, line)
            line = line.parent
        values = {name: self._number(FORMATS[code]) for found in lines for code, name in found.fields if self._primitive(code)}
        if kind.name == "java.util.UUID":
            mask = 2**LONG_BITS - 1
            return uuid.UUID(int=((values["mostSigBits"] & mask) << LONG_BITS) | (values["leastSigBits"] & mask))
        if kind.name.startswith("java.lang.") and set(values) == {"value"}:
            return values["value"]
        raise UnreadableKeyError(kind.name)

    def _primitive(self, code: str) -> bool:
        if code not in FORMATS:
            raise UnreadableKeyError(f"field of type {code}")
        return True

    def _class(self) -> _Class | None:
        code = self._byte()
        if code == NULL:
            return None
        if code == REFERENCE:
            found = self._referred()
            if isinstance(found, _Class):
                return found
            raise UnreadableKeyError("a reference to no class")
        if code != CLASS:
            raise UnreadableKeyError(f"class of code {code}")
        made: _Class = self._new(_Class(self._utf()))
        self._take(8)  # its version
        if self._byte() != ONLY_SERIALIZABLE:
            raise UnreadableKeyError(made.name)
        for _ in range(self._number(">H")):
            kind = chr(self._byte())
            made.fields.append((kind, self._utf()))
            self._primitive(kind)
        if self._byte() != END:
            raise UnreadableKeyError(made.name)
        made.parent = self._class()
        return made

    def _new(self, value: Any) -> Any:
        self.handles.append(value)
        return value

    def _referred(self) -> Any:
        return self.handles[self._number(">i") - FIRST_HANDLE]

    def _take(self, size: int) -> bytes:
        found = self.data[self.at : self.at + size]
        if len(found) != size:
            raise UnreadableKeyError("it ends too early")
        self.at += size
        return found

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _utf(self) -> str:
        return self._take(self._number(">H")).decode("utf-8")
