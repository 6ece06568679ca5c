"""The client against a real worker, with the ugly answers that stand between: hangs, HTML, resets, conflicts, prefixes, names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from connect_cluster import ConnectCluster, connect_cluster
from fault_proxy import FaultProxy, fault_proxy
from in_process import c360

from commerce360.errors import C360Error, UnavailableError
from commerce360.local import addresses
from connect_configs.client import Connect
from connect_configs.http import Access, ConnectError, ConnectUnavailableError, NotConnectError

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
NAME = "web-reviews"
MOMENT = "json:409:Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"
HOSTILE = ["a b", "ünïcode", "a;b", "semi;x=y", "a+b", "a?b#c", "-", "x" * 150]
Client = Callable[..., Connect]
REFUSED = ["a/b", "..", "a%2Fb", "a\\b"]


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectCluster]:
    with connect_cluster(tmp_path_factory.mktemp("http")) as made:
        yield made


@pytest.fixture
def proxy(it: ConnectCluster) -> Iterator[FaultProxy]:
    with fault_proxy(it.client.url) as made:
        yield made


@pytest.fixture
def client(it: ConnectCluster) -> Client:
    def make(proxy: FaultProxy, patience_s: float = 10.0, timeout_s: float = 10.0, access: Access | None = None) -> Connect:
        return Connect(proxy.url, timeout_s, access or it.access, patience_s)

    return make


@pytest.mark.parametrize("fault", [MOMENT, "reset", "html:503", "html:404", "json:500:IO Error trying to forward REST request"])
def test_what_passes_is_waited_out(proxy: FaultProxy, fault: str, client: Client) -> None:
    proxy.faults = [fault, fault]
    assert NAME in client(proxy).names()
    assert len(proxy.seen) == 3


def test_a_read_that_was_cut_off_is_repeated_and_a_creation_is_not(it: ConnectCluster, proxy: FaultProxy, client: Client) -> None:
    proxy.faults = ["drop"]
    assert client(proxy).config(NAME) == it.client.config(NAME)
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "once", "topic.prefix": "once"}
    proxy.faults = ["drop"]
    with pytest.raises(ConnectUnavailableError, match="does not answer"):
        client(proxy).create("made-once", config, "STOPPED")
    assert [call[0] for call in proxy.seen].count("POST") == 1
    it.client.wait_until("made-once", lambda s: s is not None and s.connector == "STOPPED", 30, "stop")
    it.client.delete("made-once")


@pytest.mark.parametrize("fault", ["fail", "fail:502", "drop"])
def test_what_may_have_been_made_is_not_made_again(it: ConnectCluster, proxy: FaultProxy, fault: str, client: Client) -> None:
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "maybe", "topic.prefix": "maybe"}
    proxy.faults = [fault]
    with pytest.raises(ConnectUnavailableError) as raised:
        client(proxy).create("maybe-made", config, "STOPPED")
    assert "it may have been done all the same" in raised.value.hint
    assert [call[0] for call in proxy.seen] == ["POST"]
    it.client.wait_stopped("maybe-made")
    proxy.faults = [fault]
    client(proxy).delete("maybe-made")  # the second try finds it gone, which is what was wanted
    it.client.wait_gone("maybe-made")
    assert [call[0] for call in proxy.seen] == ["POST", "DELETE", "DELETE"]


@pytest.mark.parametrize("fault", [MOMENT, "html:503", "html:404", "json:404:HTTP 404 Not Found"])
def test_a_creation_that_nobody_took_is_tried_again(it: ConnectCluster, proxy: FaultProxy, fault: str, client: Client) -> None:
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "again", "topic.prefix": "again"}
    proxy.faults = [fault]
    client(proxy).create("made-again", config, "STOPPED")
    assert [call[0] for call in proxy.seen] == ["POST", "POST"]
    it.client.delete("made-again")
    it.client.wait_gone("made-again")


def test_a_creation_goes_to_the_worker_that_listens(it: ConnectCluster) -> None:
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "second", "topic.prefix": "second"}
    Connect(f"http://127.0.0.1:1,{it.client.url}", access=it.access, patience_s=10).create("made-second", config, "STOPPED")
    it.client.delete("made-second")
    it.client.wait_gone("made-second")


def test_what_is_not_there_cannot_be_deleted(it: ConnectCluster, proxy: FaultProxy, client: Client) -> None:
    with pytest.raises(ConnectError, match="not found"):
        client(proxy).delete("none")
    proxy.faults = [MOMENT]  # it did nothing, so the 404 is no success of ours
    with pytest.raises(ConnectError, match="not found"):
        client(proxy).delete("none")


@pytest.mark.parametrize("verb", ["stop", "pause", "resume"])
def test_a_stop_or_a_pause_may_be_told_twice(it: ConnectCluster, proxy: FaultProxy, verb: str, client: Client) -> None:
    proxy.faults = ["fail", "drop"]
    getattr(client(proxy), verb)(NAME)
    assert [call[0] for call in proxy.seen] == ["PUT"] * 3
    it.client.resume(NAME)
    it.client.wait_running(NAME)


def test_one_task_is_restarted(it: ConnectCluster) -> None:
    it.client.wait_running(NAME)
    it.client.restart_task(NAME, 0)
    it.client.wait_running(NAME)
    with pytest.raises(ConnectError) as raised:
        it.client.restart_task(NAME, 7)
    assert raised.value.status == 404


COMMANDS = (
    ("--state", ("apply", "--yes")),
    ("--url", ("apply", "--yes", "--no-validate")),
    ("--state", ("validate",)),
    ("--url", ("validate", "--json")),
)


def test_no_message_about_a_configuration_repeats_its_secrets(it: ConnectCluster, tmp_path: Path) -> None:
    """Of what stands there in plain text, and of what only the worker made of a reference."""
    password = addresses.source_variables(it.stack.state)["C360_SOURCE_PG_PASSWORD"]
    reviews = it.client.config(NAME) or {}
    for address, secret in (
        ("ann:${env:C360_SOURCE_PG_PASSWORD}@h", password),
        ("mongodb://ann:${env:C360_SOURCE_PG_PASSWORD}%zz@h:1/", password),
        ("mongodb://ann:TOPSECRET%zz@h:1/", "TOPSECRET"),
        ("ann:TOP@SECRET@h", "SECRET"),
        ("mongodb+srv://ann:TOP/SECRET@h", "SECRET"),
    ):
        config = {**reviews, "connection.uri": address, "offset.partition.name": "leak"}
        for send in (it.client.put_config, it.client.create):
            with pytest.raises(ConnectError) as raised:
                send("leak", config)
            assert "Invalid value" in raised.value.message
            assert "connection.uri" in raised.value.message
            assert secret not in raised.value.message
        folder = str(it.folder(tmp_path / "configs", leak=config))
        for where, verb in COMMANDS if secret == password else COMMANDS[:1]:
            start = ["--state", str(it.root)] if where == "--state" else ["--url", it.client.url]
            done = c360("connect", *start, verb[0], folder, *verb[1:], **it.login)
            assert done.returncode in (1, 2), done
            assert "connection.uri" in done.stdout + done.stderr
            assert secret not in done.stdout + done.stderr
    assert "leak" not in it.client.names()


def test_already_exists_is_final(it: ConnectCluster, proxy: FaultProxy, client: Client) -> None:
    with pytest.raises(ConnectError, match="already exists"):
        client(proxy).create(NAME, it.client.config(NAME) or {})
    assert len(proxy.seen) == 1


def test_a_worker_that_hangs_is_given_up_in_time(it: ConnectCluster, client: Client) -> None:
    with fault_proxy(it.client.url, hang_s=5) as proxy:
        proxy.faults = ["hang"] * 9
        with pytest.raises(ConnectUnavailableError, match="said nothing for 1 s"):
            client(proxy, patience_s=0, timeout_s=1).names()


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("html:200", NotConnectError, "answers an HTML page"),
        ("html:404", ConnectUnavailableError, "answers an HTML page"),
        ("redirect", NotConnectError, "sends us to http://elsewhere.example/login"),
        ("json:401:no", ConnectError, "refuses us"),
    ],
)
def test_what_is_no_worker_is_said_clearly(proxy: FaultProxy, fault: str, kind: type[C360Error], message: str, client: Client) -> None:
    proxy.faults = [fault] * 3
    with pytest.raises(kind, match=message):
        client(proxy, patience_s=0).names()


def test_behind_a_prefix(it: ConnectCluster, client: Client) -> None:
    with fault_proxy(it.client.url, prefix="/kafka/connect") as proxy:
        assert client(proxy).config(NAME) == it.client.config(NAME)
        without = Connect(proxy.url.removesuffix("/kafka/connect"), patience_s=0)
        with pytest.raises(ConnectUnavailableError) as raised:
            without.names()
        assert "path prefix" in raised.value.hint


def test_only_who_has_the_password_is_let_in_and_credentials_are_not_told(it: ConnectCluster, proxy: FaultProxy, client: Client) -> None:
    strangers = [Access(token="t0ken"), Access("ann", "hunter2"), Access(it.access.user, "hunter2")]
    for stranger in strangers:
        with pytest.raises(ConnectError, match="refuses us") as raised:
            client(proxy, access=stranger).names()
        assert "hunter2" not in raised.value.message + raised.value.hint + repr(stranger)
    assert NAME in client(proxy).names()
    sent = [requests.auth._basic_auth_str(a.user, a.password) for a in (*strangers[1:], it.access)]
    assert [call[2] for call in proxy.seen] == ["Bearer t0ken", *sent]


def test_nobody_without_the_password_can_change_anything(it: ConnectCluster) -> None:
    url, before = f"{it.client.url}/connectors", it.client.names()
    for method, path in (("POST", f"/{NAME}/restart"), ("PUT", f"/{NAME}/stop"), ("DELETE", f"/{NAME}"), ("POST", "")):
        answer = requests.request(method, url + path, json={"name": "theirs", "config": {}}, timeout=20)
        assert (path, answer.status_code) == (path, 401)
    assert it.client.names() == before
    status = it.client.status(NAME)
    assert status is not None
    assert status.running


def test_another_worker_of_the_list_is_asked(it: ConnectCluster, proxy: FaultProxy) -> None:
    proxy.faults = ["reset"] * 50
    assert NAME in Connect(f"http://127.0.0.1:1,{proxy.url},{it.client.url}", access=it.access, patience_s=10).names()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_reaches_its_connector_and_no_other(it: ConnectCluster, name: str) -> None:
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "hostile", "topic.prefix": "hostile"}
    it.client.create(name, config, "STOPPED")
    try:
        assert it.client.config(name) == config
        it.client.wait_stopped(name)
        assert it.client.offsets(name) == []
        done = it.cli("status", "--rest-only", "--json", "--", name)
        assert name in done.out or name.encode("ascii", "backslashreplace").decode() in done.out, done
    finally:
        it.client.delete(name)
    it.client.wait_gone(name)
    assert NAME in it.client.names()


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_no_address_can_hold_is_refused_clearly(it: ConnectCluster, name: str) -> None:
    with pytest.raises(ConnectError, match="takes no such name in an address"):
        it.client.config(name)
    done = it.cli("delete", "--yes", "--", name)
    assert done.code == 1
    assert "takes no such name" in done.err
    assert "Traceback" not in done.err
    assert set(it.client.names()) >= {NAME, "oltp-postgres", "web-clickstream"}


def test_equal_configuration_is_not_deployed_again(it: ConnectCluster, proxy: FaultProxy, client: Client) -> None:
    config = it.client.config(NAME) or {}
    assert client(proxy).deploy(NAME, config) is False
    assert [call[0] for call in proxy.seen] == ["GET"]


def test_an_unknown_connector_is_none_and_waiting_for_it_ends(it: ConnectCluster) -> None:
    assert (it.client.status("none"), it.client.config("none"), it.client.offsets("none")) == (None, None, [])
    with pytest.raises(UnavailableError, match="there is none of that name"):
        it.client.wait_running("none", timeout_s=0.5)


def test_a_connector_of_a_name_that_no_address_takes_blinds_nobody_for_the_others(it: ConnectCluster) -> None:
    """The last one: REST can make it, and not take it away."""
    config = {**(it.client.config(NAME) or {}), "offset.partition.name": "slash", "topic.prefix": "slash"}
    it.client.create("a/b", config, "STOPPED")
    it.client.wait_running(NAME)
    rows = {row["name"]: row for row in it.cli("status", "--json").json["connectors"]}
    assert rows[NAME]["records_per_s"] is not None
    assert rows["oltp-postgres"]["heartbeat_age_s"] is not None
    assert rows["a/b"]["records_per_s"] is None
    assert "takes no such name" in rows["a/b"]["unseen"]["records_per_s"]
