"""Records as the connectors write them are made by the Spark tier's modules; they need no Spark."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "spark"))
