"""For every tier but that of the DAGs, which runs in Airflow's environment: `make test-airflow`."""

import sys
from pathlib import Path

from hypothesis import settings

collect_ignore = ["dags"]

settings.register_profile("c360", deadline=None)  # no test is timed: machines are shared
settings.load_profile("c360")
sys.path.append(str(Path(__file__).parent / "spark"))  # records as the connectors write them: other tiers make some, too
