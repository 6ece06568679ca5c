"""The Connect cluster of a local stack, as the commands see it. Imports little: commands are to start quickly."""

from __future__ import annotations

from commerce360.local.addresses import source_variables
from commerce360.local.state import CONNECT_USER, State
from connect_configs.client import Connect
from connect_configs.cluster import Cluster, Login
from connect_configs.http import Access
from connect_configs.variables import Variables

LOCAL = "local"  # its name


def cluster(state: State, patience_s: float = 30.0) -> Cluster:
    at = {name: f"127.0.0.1:{port}" for name, port in state.ports.items()}
    return Cluster(
        LOCAL,
        Connect(f"http://{at['connect']}", access=Access(CONNECT_USER, state.secret("connect")), patience_s=patience_s),
        Variables(source_variables(state)),
        Login("postgres", state.secret("postgres_superuser")),
        {"bootstrap.servers": at["kafka"]},
        f"http://{at['registry']}/apis/ccompat/v7",
    )
