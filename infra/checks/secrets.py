"""No secret in a tracked file: detect-secrets' detectors and our own for Azure, with an allow-list whose every entry has a reason.

Lines that cannot match any detector are passed over first: a whole scan by detect-secrets takes minutes on a small machine. Nothing is
judged by how random it looks: the files are full of hashes that lock what is installed.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.checks.finding import Finding

ALLOWED = Path("infra/checks/secrets.toml")
HINT = f"take it out and renew it where it is used; what is no secret is named in {ALLOWED}, with a reason"
DETECTORS = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
    "TwilioKeyDetector",
)
OWN = {
    "Azure Connection String": re.compile(r"SharedAccessKey=(?P<secret>[A-Za-z0-9+/]{40,}={0,2})"),
    "Azure SAS Token": re.compile(r"[?&;]sig=(?P<secret>[A-Za-z0-9%+/]{40,}={0,2})"),
    "Entra Client Secret": re.compile(r"(?<![\w~.-])(?P<secret>[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34})(?![\w~.-])"),
}
# A line without any of these matches no detector.
SUSPECT = re.compile(
    r"pass|pwd|secret|key|contrase|://[^\s/]*:[^\s/]*@|BEGIN|eyJ|AKIA|ASIA|A3T|gh[pousr]_|gl\w{2,8}-|sk-|[sr]k_|xox|hooks\.slack|pypi-|SG\.|SK[0-9a-f]|AC[0-9a-f]"
    r"|_auth|sig=|Q~",
    re.IGNORECASE,
)
SETTING = re.compile(r"C360_[A-Z0-9_]+\b")  # says where a secret is
LONGEST_LINE = 4_000  # longer ones are minified scripts
SKIPPED_FOLDERS = frozenset({".git", "build", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"})


@dataclass(frozen=True)
class Found:
    file: Path
    line: int
    kind: str
    secret: str

    @property
    def mark(self) -> str:
        """Names the secret without saying it."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:16]


def check(root: Path) -> Iterable[Finding]:
    allowed, problems = _allowed(root)
    yield from problems
    used: set[tuple[str, str]] = set()
    for found in scan(root):
        entry = (found.file.as_posix(), found.mark)
        used.add(entry)
        if entry not in allowed:
            yield Finding(found.file, f"{found.kind} (mark {found.mark})", HINT, found.line)
    for file, mark in sorted(allowed - used):
        yield Finding(ALLOWED, f"nothing in {file} has the mark {mark} any more", "remove the entry")


def scan(root: Path) -> Iterator[Found]:
    """Every secret of the tracked files, or of all files where `root` is no git checkout; each once a line."""
    from detect_secrets.core.plugins import initialize

    plugins = [initialize.from_plugin_classname(name) for name in DETECTORS]
    for file in files(root):
        try:
            text = (root / file).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):  # pictures; what is deleted and not yet committed
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) <= LONGEST_LINE and SUSPECT.search(line):
                yield from (Found(file, number, kind, secret) for kind, secret in sorted(_in_line(plugins, file, line)))


def files(root: Path) -> list[Path]:
    """Below `root`, sorted."""
    done = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return sorted(Path(name) for name in done.stdout.split("\0") if name)
    found = (p.relative_to(root) for p in root.rglob("*") if p.is_file())
    return sorted(p for p in found if not SKIPPED_FOLDERS.intersection(p.parts))


def _in_line(plugins: Iterable[Any], file: Path, line: str) -> set[tuple[str, str]]:
    found = {(kind, m["secret"]) for kind, pattern in OWN.items() for m in pattern.finditer(line)}
    for plugin in plugins:
        for secret in plugin.analyze_line(filename=file.as_posix(), line=line, line_number=1):
            value = line.strip() if type(plugin).__name__ == "PrivateKeyDetector" else str(secret.secret_value)
            if not _is_harmless(plugin, value, line):
                found.add((str(secret.type), value))
    return found


def _is_harmless(plugin: Any, secret: str, line: str) -> bool:
    """The name of a setting; and by detect-secrets' own rules: references, templates, ids, words without a letter or digit."""
    from detect_secrets.filters import heuristic

    rules = (
        lambda: SETTING.match(secret) is not None,
        partial(heuristic.is_potential_uuid, secret),
        partial(heuristic.is_sequential_string, secret),
        partial(heuristic.is_templated_secret, secret),
        partial(heuristic.is_prefixed_with_dollar_sign, secret),
        partial(heuristic.is_not_alphanumeric_string, secret),
        partial(heuristic.is_indirect_reference, line),
        partial(heuristic.is_likely_id_string, secret, line, plugin),
    )
    return type(plugin).__name__ != "PrivateKeyDetector" and any(rule() for rule in rules)


def _allowed(root: Path) -> tuple[set[tuple[str, str]], list[Finding]]:
    """(file, mark) of each entry, and what is wrong with the list."""
    try:
        entries = tomllib.loads((root / ALLOWED).read_text(encoding="utf-8")).get("allowed", [])
    except FileNotFoundError:
        return set(), []
    except tomllib.TOMLDecodeError as error:
        return set(), [Finding(ALLOWED, f"is not TOML: {error}", "correct it")]
    problems = [
        Finding(ALLOWED, f"the entry of {e.get('file', 'no file')} has no reason", "say why it is no secret")
        for e in entries
        if len(str(e.get("reason", "")).strip()) < 10
    ]
    return {(str(e.get("file", "")), str(mark)) for e in entries for mark in e.get("marks", [])}, problems
