"""HTTP to a Kafka Connect worker: what is tried again, what is said instead of a stack of exceptions.

How workers really answer (Connect 4.3, Jetty 12): while one starts, its port answers a page that is not JSON, then nothing until the
group has settled; 409 is momentary ("stale configuration", "rebalance") or final ("already exists"); a name in a path may hold no
slash, percent sign, backslash or dots alone, however it is encoded.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import Endpoint
from connect_configs.model import Config
from connect_configs.variables import scrub, secrets_of

CONNECT_TIMEOUT_S = 5.0
MESSAGE_LENGTH = 1_000
FINAL_CONFLICT = "already exists"
NO_SUCH_PAGE = ("HTTP 404 Not Found", "Not Found")  # of the server, not of Connect, which names what it has not found
NEVER_PASSED_ON = frozenset({404, 503})  # with a page that is not Connect's
SAFE_TO_REPEAT = frozenset({"GET", "PUT", "DELETE", "PATCH"})
PATH_RULES = ("Ambiguous URI", "Suspicious Path")


class ConnectError(C360Error):
    """Connect refused a call. `status` is the HTTP status."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


class ConnectUnavailableError(UnavailableError):
    """The worker did not answer in time, or said that it cannot now."""

    exit_code = 3


class NotConnectError(ConfigError):
    """Something answers at the address, but it is no Connect worker."""


@dataclass(frozen=True)
class Access:
    """How a worker lets us in. Values are secrets: they stand in no log and no message."""

    user: str = ""
    password: str = ""
    token: str = ""
    certificate: Path | None = None  # PEM, for mutual TLS
    key: Path | None = None
    ca: Path | None = None  # whom the worker's certificate must be signed by; None: the machine's own list

    @classmethod
    def of(cls, settings: Endpoint) -> Access:
        """Secrets are read now. Raises ConfigError for one that is not there."""
        return cls(settings.user, settings.password(), settings.token(), ca=settings.ca_file)

    def __repr__(self) -> str:
        kinds = [k for k in ("user", "password", "token", "certificate", "key", "ca") if getattr(self, k)]
        return f"Access({', '.join(kinds)})"


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _NoAuth(AuthBase):
    """Keeps requests from looking into the user's netrc file."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Transport:
    """Calls below a base address, or those of several workers as a comma list. `call` takes path segments and encodes each of them.

    Tried again for `patience_s`: connection errors, 5xx, a worker that is not up yet, and a momentary 409. A POST is tried again only
    where no connection was made, on a momentary 409, and on the 404 or the 503 page of a worker that is not up: never when the answer was
    cut off, nor after a 5xx of Connect or of a proxy that had passed it on, as it may have been carried out.
    What Connect says is scrubbed. Raises ConnectUnavailableError, NotConnectError, ConnectError.
    """

    def __init__(self, url: str, access: Access | None = None, timeout_s: float = 20.0, patience_s: float = 30.0) -> None:
        self._urls = [_checked(part) for part in url.split(",")]
        self._at = 0  # threads share it: each call takes it once, and moves it on from there
        self.timeout_s = timeout_s
        self.patience_s = patience_s
        self._access = access or Access()
        self._session: requests.Session | None = None

    @property
    def url(self) -> str:
        """The worker that is spoken to now."""
        return self._urls[self._at]

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._session:
            self._session.close()
            self._session = None

    def call(
        self,
        method: str,
        *segments: str,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        body: Any = None,
        missing_ok: bool = False,
        gone_ok: bool = False,
        about: Config | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The decoded JSON of the answer, `{}` for an empty one; None for a 404 with `missing_ok`.

        `gone_ok`: a 404 to a repeated call is its success, as an earlier one may have been carried out. `about`: the connector's settings
        that are sent; no message repeats their secrets.
        """
        path = "".join(f"/{encoded(s)}" for s in segments) + (f"?{urlencode(query)}" if query else "")
        deadline = time.monotonic() + self.patience_s
        pause_s, maybe_done = 0.1, False
        while True:
            at = self._at
            call = _Call(self._urls[at], method, path, missing_ok or (gone_ok and maybe_done), about)
            try:
                reply = self._once(call, body, timeout_s or self.timeout_s)
                return {} if reply is None and not missing_ok else reply
            except (ConnectUnavailableError, _MomentaryError) as error:
                maybe_done = maybe_done or _may_be_done(error)
                if (method not in SAFE_TO_REPEAT and maybe_done) or time.monotonic() + pause_s > deadline:
                    raise _final(method, error) from error.__cause__
            self._at = (at + 1) % len(self._urls)  # another worker may be up, where one is restarted
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.7, 2.0)

    def _once(self, call: _Call, body: Any, timeout_s: float) -> Any:
        session, url = self._opened(), call.url
        request = session.prepare_request(requests.Request(call.method, url + "/", json=body, headers={"Accept": "application/json"}))
        # As we encoded it: requests would undo %2E and take ".." for a step up.
        request.url = url + call.path
        settings = session.merge_environment_settings(request.url, {}, None, None, None)
        try:
            reply = session.send(request, timeout=(CONNECT_TIMEOUT_S, timeout_s), allow_redirects=False, **settings)
        except requests.exceptions.SSLError as error:
            message = f"no trusted connection to {url}: {_ssl_reason(error)}"
            raise ConfigError(message, "give the context --ca, --cert and --key") from error
        except requests.ConnectTimeout as error:
            raise ConnectUnavailableError(f"{url} does not answer", "is the address right, is a firewall between?") from error
        except requests.ReadTimeout as error:
            raise _NothingSaidError(
                f"{url} took the call and said nothing for {timeout_s:.0f} s",
                "a worker that starts or rebalances hangs like this; look at its log",
            ) from error
        except requests.ConnectionError as error:
            made = ConnectUnavailableError if _is_refused(error) else _NothingSaidError
            raise made(f"Kafka Connect at {url} does not answer: {_reason(error)}", "does a worker run there?") from error
        except requests.RequestException as error:
            raise ConnectError(f"{call.method} {call.path}: {type(error).__name__}", "check the address") from error
        return call.read(reply)

    def _opened(self) -> requests.Session:
        if self._session is None:
            self._session = session = requests.Session()
            access = self._access
            session.auth = _Bearer(access.token) if access.token else (access.user, access.password) if access.user else _NoAuth()
            if access.certificate:
                session.cert = (str(access.certificate), str(access.key)) if access.key else str(access.certificate)
            if access.ca:
                session.mount("https://", _TrustingOnly(access.ca))
        return self._session


class _TrustingOnly(HTTPAdapter):
    """Trusts one CA file, whatever REQUESTS_CA_BUNDLE says."""

    def __init__(self, ca: Path) -> None:
        self._ca = ca
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "verify": str(self._ca)})


class _NothingSaidError(ConnectUnavailableError):
    """The call may have been carried out all the same."""


class _MomentaryError(C360Error):
    """An answer that may be another one a little later. `maybe_done`: the call may have been carried out all the same."""

    def __init__(self, message: str, hint: str, maybe_done: bool = False) -> None:
        super().__init__(message, hint)
        self.maybe_done = maybe_done


@dataclass(frozen=True)
class _Call:
    """One call to one worker, and what its answer means."""

    url: str
    method: str
    path: str
    missing_ok: bool
    about: Config | None

    def read(self, reply: requests.Response) -> Any:
        if reply.is_redirect:
            place = scrub(reply.headers.get("Location", ""))[:200]
            raise NotConnectError(f"{self.url} sends us to {place}", "use that address, if it is the worker's")
        if reply.status_code in (401, 403):
            raise ConnectError(f"{self.url} refuses us ({reply.status_code})", "check the credentials of the context", reply.status_code)
        if reply.status_code == 204 or (reply.ok and not reply.content):
            return {}
        try:
            body = reply.json()
        except ValueError:
            raise self._not_json(reply) from None
        if reply.ok:
            return body
        said = str(body.get("message", "") if isinstance(body, dict) else body)
        secrets = secrets_of(self.about) if self.about else ()
        return self._refused(reply.status_code, scrub(said, secrets, self.about)[:MESSAGE_LENGTH])

    def _refused(self, status: int, message: str) -> None:
        if status == 404 and message in NO_SUCH_PAGE:
            page = self.path.partition("?")[0]
            raise _MomentaryError(f"{self.url} has no {page}", "a worker that stops answers so; or is it another service?")
        if status == 404 and self.missing_ok:
            return
        if status == 409 and FINAL_CONFLICT not in message:
            raise _MomentaryError(f"Kafka Connect is busy: {message}", "the worker group is settling; try again in a minute")
        if status >= 500:
            raise _MomentaryError(f"{self.method} {self.path}: {status} {message}", "see the worker's log", maybe_done=True)
        raise ConnectError(f"{self.method} {self.path}: {status} {message}", "", status)

    def _not_json(self, reply: requests.Response) -> C360Error:
        text, status = reply.text[:2_000], reply.status_code
        if status == 400 and any(rule in text for rule in PATH_RULES):
            return ConnectError(
                "this worker takes no such name in an address: slashes, percent signs, backslashes and names of dots alone are refused",
                "use letters, digits, dots, dashes and underscores in connector names",
                400,
            )
        kind = "an HTML page" if "<html" in text.lower() else "something that is not JSON"
        message = f"{self.url} answers {kind} ({status})"
        if status >= 500:
            hint = "a worker that starts, or a proxy whose worker is away; see their logs"
            return _MomentaryError(message, hint, maybe_done=status not in NEVER_PASSED_ON)
        if status == 404:
            return _MomentaryError(message, "is this Kafka Connect? Behind a proxy the address needs the path prefix, such as /connect")
        return NotConnectError(message, "is this the address of Kafka Connect, with its path prefix?")


def _may_be_done(error: C360Error) -> bool:
    return isinstance(error, _NothingSaidError) or (isinstance(error, _MomentaryError) and error.maybe_done)


def _final(method: str, error: ConnectUnavailableError | _MomentaryError) -> ConnectUnavailableError:
    hint = error.hint
    if method not in SAFE_TO_REPEAT and _may_be_done(error):
        hint = f"it may have been done all the same, so it was not tried again: look at `c360 connect status`; {hint}"
    if isinstance(error, _MomentaryError):
        return ConnectUnavailableError(error.message, hint)
    error.hint = hint
    return error


def _checked(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no address of a Connect worker", "give one like http://host:8083 or https://host/prefix")
    if parts.username or parts.password:
        raise ConfigError("the address holds a user name or a password", "use a context: `c360 connect context add --help`")
    return url.strip().rstrip("/")


def encoded(segment: str) -> str:
    """One segment of a path. Dots alone would be a step up, so they are encoded as well."""
    return quote(segment, safe="") if segment.strip(".") else segment.replace(".", "%2E")


def _is_refused(error: requests.ConnectionError) -> bool:
    """Nothing was sent: there was no connection to send it on."""
    return any(name in repr(error) for name in ("NewConnectionError", "NameResolutionError", "ProxyError"))


def _reason(error: requests.ConnectionError) -> str:
    known: tuple[tuple[str, str], ...] = (
        ("NameResolutionError", "no such host"),
        ("Connection refused", "nothing listens there"),
        ("RemoteDisconnected", "the connection was closed"),
        ("Connection reset", "the connection was reset"),
        ("ProxyError", "the proxy of this machine does not let us through"),
    )
    return next((text for mark, text in known if mark in repr(error)), type(error).__name__)


def _ssl_reason(error: requests.exceptions.SSLError) -> str:
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return str(getattr(found, "verify_message", "") or found.reason or found)
        found = found.__cause__ or found.__context__ or getattr(found, "reason", None)
    return "TLS failed"
