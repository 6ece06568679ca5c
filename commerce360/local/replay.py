"""What the versioned migrations build, found by running them in a local Snowflake of its own, in this process."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commerce360.snowflake import Row
from warehouse.catalog import Catalog, Live
from warehouse.history import history_statements
from warehouse.scripts import Script, statements_of

DATABASE = "C360_REPLAY"
