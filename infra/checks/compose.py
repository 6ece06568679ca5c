"""docker-compose.yml: its schema, dangling names, ports, health checks, pins, secrets, mounts, settings, and the local stack's tables.

Its Dockerfiles are looked at by `dockerfiles`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from commerce360.provision.steps import STEPS
from connect_configs.files import configurations
from connect_configs.variables import SOURCE, references
from infra.checks import compose_tables
from infra.checks.compose_file import NAME, Compose, Service, env_file
from infra.checks.finding import Finding, Skipped

FOLDER = Path("infra/compose")
SECRET_NAME = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|(^|_)KEY(_|$)|CONN(_|$)", re.IGNORECASE)
USERINFO = re.compile(r"\w+://[^/\s:@]+:[^/\s@]+@")
FROM_FILE = re.compile(r"cat /run/secrets/[a-z_]+")
IMAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9./_-]*)(:(?P<tag>[A-Za-z0-9._-]+))?(\$\{(?P<variable>\w+)_DIGEST:-\}|@sha256:[0-9a-f]{64})?")
LOOPBACK = re.compile(r"127\.0\.0\.1:(?P<host>\d+):(?P<container>\d+)")
PROBE = {"NONE": "disables it", "CMD": "", "CMD-SHELL": ""}

Found = Iterator[Finding]


def check(root: Path) -> Iterable[Finding | Skipped]:
    yield from schema(root)
    yield from own(root)


def own(root: Path) -> Found:
    """What the schema does not know."""
    compose = Compose(root)
    for rule in (*RULES, *compose_tables.RULES):
        yield from rule(compose)


def schema(root: Path) -> Iterator[Finding | Skipped]:
    """The compose specification's own, as check-jsonschema brings it."""
    if find_spec("check_jsonschema") is None:
        yield Skipped("the schema of docker-compose.yml: check-jsonschema is not installed")
        return
    args = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "--color", "never", str(root / NAME)]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if "::" in line]
        for line in lines or [done.stdout.strip() or done.stderr.strip()]:
            yield Finding(NAME, line.partition("::")[2] or line, "see the compose specification")


def _finding(compose: Compose, what: str, hint: str, *path: str) -> Finding:
    return Finding(NAME, what, hint, compose.line(*path))


# --- names


def dangling(compose: Compose) -> Found:
    """Names that nothing defines, and definitions that nothing names."""
    for kind in ("volumes", "secrets", "networks", "configs"):
        defined, used = set(compose.top(kind)), set[str]()
        for service in compose.services.values():
            for name in _named(service, kind):
                used.add(name)
                if name not in defined:
                    what = f"{service.name}: there is no {kind[:-1]} {name}"
                    yield _finding(compose, what, f"define it below `{kind}`", "services", service.name, kind)
        for name in sorted(defined - used):
            yield _finding(compose, f"no service uses the {kind[:-1]} {name}", "remove it", kind, name)
    for service in compose.services.values():
        contexts = ((service.raw.get("build") or {}).get("additional_contexts") or {}).values()
        others = [c.removeprefix("service:") for c in contexts if c.startswith("service:")]
        for name in [n for n in (*service.depends_on, *others) if n not in compose.services]:
            what = f"{service.name}: there is no service {name}"
            yield _finding(compose, what, "name one that there is", "services", service.name, "depends_on")


def _named(service: Service, kind: str) -> list[str]:
    if kind == "volumes":
        return [source for source, _ in service.mounts() if not source.startswith((".", "/"))]
    return service.listed(kind)


def network(compose: Compose) -> Found:
    for service in compose.services.values():
        if service.listed("networks") != list(compose.top("networks")):
            yield _finding(compose, f"{service.name} is not in the one network", "`<<: *service`", "services", service.name)


def order(compose: Compose) -> Found:
    """Who waits for whom: a healthy server, or something that has ended well; never for what a profile may leave out."""
    for service in compose.services.values():
        for name, given in service.depends_on.items():
            other = compose.services.get(name)
            if other is None:
                continue
            at = ("services", service.name, "depends_on", name)
            condition = given.get("condition")
            if condition == "service_healthy" and not other.raw.get("healthcheck"):
                yield _finding(compose, f"{service.name} waits for {name} to be healthy, which has no health check", "give it one", *at)
            elif condition == "service_completed_successfully" and not other.once:
                yield _finding(compose, f"{service.name} waits for the end of {name}, which runs for ever", 'restart: "no"', *at)
            elif condition not in ("service_healthy", "service_completed_successfully"):
                yield _finding(compose, f"{service.name} waits for {name} with {condition}", "wait for its health or its end", *at)
            left_out = set(other.raw.get("profiles") or ()) - set(service.raw.get("profiles") or ())
            if left_out and given.get("required", True):
                yield _finding(compose, f"{service.name} needs {name}, which a profile may leave out", "required: false", *at)


# --- what runs


def ports(compose: Compose) -> Found:
    taken: dict[str, str] = {}
    for service in compose.services.values():
        for text in service.raw.get("ports") or ():
            at = ("services", service.name, "ports")
            found = LOOPBACK.fullmatch(str(text))
            if found is None:
                yield _finding(compose, f"{service.name} publishes {text} beyond loopback", 'write "127.0.0.1:HOST:CONTAINER"', *at)
                continue
            if other := taken.get(found["host"]):
                yield _finding(compose, f"{service.name} and {other} both publish {found['host']}", "choose another port", *at)
            taken[found["host"]] = service.name


def health(compose: Compose) -> Found:
    for service in compose.services.values():
        probe = service.raw.get("healthcheck") or {}
        test = probe.get("test") or []
        if service.once:
            if probe:
                what = f"{service.name} ends by itself, and has a health check"
                yield _finding(compose, what, "whoever needs it waits for its end", "services", service.name, "healthcheck")
        elif not test or probe.get("disable") or test[0] not in PROBE or PROBE[test[0]]:
            yield _finding(compose, f"{service.name} has no health check", "test what it is there for", "services", service.name)


def limits(compose: Compose) -> Found:
    for service in compose.services.values():
        found = (((service.raw.get("deploy") or {}).get("resources") or {}).get("limits") or {}).get("memory")
        if not found:
            yield _finding(compose, f"{service.name} has no limit of memory", "deploy.resources.limits.memory", "services", service.name)


def images(compose: Compose) -> Found:
    """Other people's with a tag and a variable for the digest; ours are built here, each by one service."""
    digests = env_file(compose.root / FOLDER / "digests.env")
    built = {service.image for service in compose.services.values() if service.raw.get("build")}
    used: set[str] = set()
    pinned = [(service, image, "image") for service in compose.services.values() if (image := service.image) not in ("", *built)]
    for service in compose.services.values():
        args = (service.raw.get("build") or {}).get("args") or {}
        pinned += [(service, str(value), "build") for name, value in args.items() if name.endswith("_IMAGE")]
    for service, image, key in pinned:
        at = ("services", service.name, key)
        found = IMAGE.fullmatch(image)
        if found is None or not found["tag"] or found["tag"] == "latest":
            yield _finding(compose, f"{service.name}: {image} is not pinned to a tag", "name a version", *at)
        elif not found["variable"]:
            hint = "append ${NAME_DIGEST:-}; one that is built here needs a service with `build` and that image"
            yield _finding(compose, f"{service.name}: {image} has no variable for its digest", hint, *at)
        else:
            used.add(f"{found['variable']}_DIGEST")
    for name in sorted(used ^ digests.keys()):
        what = f"{name} is " + ("not used by docker-compose.yml" if name in digests else "missing")
        yield Finding(FOLDER / "digests.env", what, "one line for each image")
    for service in compose.services.values():
        if service.image in built and service.raw.get("pull_policy") != "never" and not service.raw.get("build"):
            yield _finding(compose, f"{service.name} would pull {service.image}", "pull_policy: never", "services", service.name)


def commands(compose: Compose) -> Found:
    """`python -m MODULE` and `c360 provision STEP`."""
    for service in compose.services.values():
        probe = [str(word) for word in (service.raw.get("healthcheck") or {}).get("test") or ()]
        for key, words in (("command", service.words("command")), ("healthcheck", probe)):
            at = ("services", service.name, key)
            modules = [words[n + 2] for n, word in enumerate(words[:-2]) if word == "python" and words[n + 1] == "-m"]
            for module in [m for m in modules if not _exists(m)]:
                yield _finding(compose, f"{service.name}: there is no module {module}", "name one that can be run", *at)
            for step in words[2:] if words[:2] == ["c360", "provision"] else []:
                if step not in STEPS:
                    yield _finding(compose, f"{service.name}: there is no step {step}", f"the steps are {', '.join(STEPS)}", *at)


def _exists(module: str) -> bool:
    try:
        found = find_spec(module)
        return found is not None and (not found.submodule_search_locations or find_spec(f"{module}.__main__") is not None)
    except ModuleNotFoundError:
        return False


# --- what it gets


def secrets(compose: Compose) -> Found:
    """No secret among values: only where one is."""
    script = (compose.root / FOLDER / "secrets.sh").read_text(encoding="utf-8")
    for service in compose.services.values():
        for name, value in service.environment.items():
            names_it = bool(SECRET_NAME.search(name)) and not name.endswith("_FILE") and not FROM_FILE.fullmatch(value)
            if USERINFO.search(value) or (names_it and not value.startswith("/")):
                what = f"{service.name}: {name} has a secret as its value"
                line = compose.line_of(service.name, "environment", name)
                yield Finding(NAME, what, "mount it below /run/secrets, and name the file", line)
    for name, given in compose.top("secrets").items():
        file = str(given.get("file", ""))
        if file != f"./{FOLDER}/secrets/{name}" or not re.search(rf"\b{name}\b", script):
            yield _finding(compose, f"nobody makes the secret {name}", "infra/compose/secrets.sh does, in secrets/NAME", "secrets", name)
    ignored = (compose.root / ".gitignore").read_text(encoding="utf-8").splitlines()
    if f"/{FOLDER}/secrets/" not in ignored:
        yield Finding(Path(".gitignore"), "secrets could be committed", f"ignore /{FOLDER}/secrets/")


def mounts(compose: Compose) -> Found:
    for service in compose.services.values():
        at = ("services", service.name, "volumes")
        for source, _ in service.mounts():
            path = source.removeprefix("./")
            if source.startswith(("/", "~", "..")):
                yield _finding(compose, f"{service.name} mounts {source} of the host", "only files of the checkout", *at)
            elif source.startswith("./") and not (compose.root / path).exists():
                yield _finding(compose, f"{service.name} mounts {source}, which is not there", "correct the path", *at)


def sources(compose: Compose) -> Found:
    """What connectors refer to, and what the worker is given."""
    wanted = {r.key for c in configurations().values() for value in c.values() for r in references(value) if r.provider == "env"}
    for service in compose.services.values():
        given = {n.removesuffix("_FILE") for n in service.environment if n.startswith(SOURCE)}
        for name in sorted(wanted - given if given or service.name == "connect" else ()):
            yield _finding(compose, f"{service.name} lacks {name}", "a connector refers to it", "services", service.name, "environment")
        for name in sorted(given - wanted):
            yield _finding(compose, f"{service.name}: no connector refers to {name}", "remove it", "services", service.name, "environment")


RULES: tuple[Callable[[Compose], Found], ...] = (
    dangling,
    network,
    order,
    ports,
    health,
    limits,
    images,
    commands,
    secrets,
    mounts,
    sources,
)
