"""`python -m commerce360.local.bootstrap.fetch GROUP...`: some groups of the locked jars, for images.

With `ecj` among them the Connect converter is compiled as well.
"""

from __future__ import annotations

import sys

from commerce360.errors import C360Error, ConfigError
from commerce360.local.bootstrap import converter, jars, java


def fetch(groups: list[str]) -> None:
    """Below `build/jars`. Raises ConfigError for a group that there is not."""
    locked = jars.read_lock()
    known = dict.fromkeys(item.group for item in locked)
    if wrong := [group for group in groups if group not in known]:
        raise ConfigError(f"there is no group {', '.join(wrong)} of jars", f"the groups are {', '.join(known)}")
    wanted = [item for item in locked if item.group in groups]
    jars.fetch(wanted, lambda _: None)
    jars.lay_out(wanted)
    if "ecj" in groups:
        converter.build(java.find_java(17))


if __name__ == "__main__":
    try:
        fetch(sys.argv[1:])
    except C360Error as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
