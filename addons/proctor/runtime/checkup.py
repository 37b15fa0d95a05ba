"""What can be wrong with an installation, looked at on this machine. `reach` looks further."""

import os
import resource
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from cryptography import x509

from proctor.config import Config, load
from proctor.errors import ConfigurationError, ProctorError
from proctor.policy.engine import load_policy
from proctor.redaction.ner import find_model
from proctor.runtime.disk import DiskState, DiskWatch
from proctor.runtime.features import features_of
from proctor.runtime.permissions import find_open
from proctor.runtime.tls import Contexts, Served, Trusted

_PYTHON = (3, 12)
_RENEW = timedelta(days=14)
_FILES_BESIDE = 256
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at.
        state: How it is.
        what: What was found.
        mend: What to do; empty where nothing is.
    """

    check: str
    state: State
    what: str
    mend: str = ""


def failed(check: str, error: ProctorError, state: State = State.FAIL) -> Finding:
    """An error as a finding."""
    what = error.message
    if isinstance(error, ConfigurationError) and error.where:
        what = f"{error.where}: {what}"
    for word, part in (("got", error.got), ("expected", error.expected)):
        what += f"; {word} {part}" if part else ""
    return Finding(check=check, state=state, what=what, mend=error.hint)


def python() -> Finding:
    """Is Python new enough?"""
    version = sys.version_info[:3]
    found = f"Python {'.'.join(map(str, version))}"
    if version < _PYTHON:
        return Finding(
            check="python", state=State.FAIL, what=found, mend="Install Python 3.12 or newer."
        )
    return Finding(check="python", state=State.OK, what=found)


def configuration(file: Path) -> tuple[Config | None, Finding]:
    """Can proctor.yaml be loaded?"""
    try:
        config = load(file)
    except ConfigurationError as error:
        return None, failed("configuration", error)
    return config, Finding(check="configuration", state=State.OK, what=f"{file} is right")


def rules(config: Config) -> Finding:
    """Can the rules be loaded?"""
    try:
        policy = load_policy(config.rules, features=features_of(config), observe=config.observe)
    except ConfigurationError as error:
        return failed("rules", error)
    return Finding(
        check="rules", state=State.OK, what=f"{config.rules} loads as {policy.version:.19}"
    )


def names(config: Config) -> Iterator[Finding]:
    """Is the model that finds names there, where one is asked for?"""
    if config.redaction.ner is None:
        return
    try:
        model = find_model(config.redaction.ner.model, "redaction.ner.model")
    except ConfigurationError as error:
        yield failed("names", error)
    else:
        yield Finding(check="names", state=State.OK, what=f"{model.version} is installed")


def trust(config: Config) -> Iterator[Finding]:
    """What is allowed on purpose, and should be known."""
    if config.observe:
        yield Finding(
            check="rules",
            state=State.WARN,
            what="`observe: true`: no rule refuses anything, nor does the lack of one",
            mend="Take `observe` out of proctor.yaml once the rules say what you want.",
        )
    if any(issuer.issuer == "local" for issuer in config.identity.issuers):
        yield Finding(
            check="issuer local",
            state=State.WARN,
            what="Tokens made on this machine are taken; they prove nothing about anyone",
            mend="In earnest, take `local` out of the issuers.",
        )


def user() -> Finding:
    """Does proctor run under a user of its own?"""
    if os.geteuid() == 0:
        return Finding(
            check="user",
            state=State.WARN,
            what="This is root, and proctor needs no such power",
            mend="Run it under a user of its own, never the agent's.",
        )
    return Finding(check="user", state=State.OK, what=f"User {os.geteuid()}")


def permissions(config: Config, file: Path) -> Iterator[Finding]:
    """Can others read or change what they must not?"""
    found = [failed("permissions", error) for error in find_open(config, file)]
    found += [
        Finding(
            check="permissions",
            state=State.WARN,
            what=f"The whole group {path.stat().st_gid} can change {path}",
            mend=f"Run `chmod g-w {path}`, unless that is meant.",
        )
        for path in (file, config.rules)
        if path.exists() and path.stat().st_mode & stat.S_IWGRP
    ]
    yield from found
    if not found:
        yield Finding(check="permissions", state=State.OK, what="Keys and recordings are private")


def certificates(config: Config, now: datetime) -> Iterator[Finding]:
    """Do certificates and keys fit, and how long do they last?"""
    contexts = Contexts()
    for listener in config.doors:
        check = f"tls {listener.name}"
        if listener.tls is not None:
            tls = listener.tls
            served = Served(cert=tls.cert, key=tls.key, client_ca=tls.client_ca)
            yield _certificate(check, tls.cert, now, partial(contexts.served, served))
        if listener.upstream_tls is not None:
            up = listener.upstream_tls
            trusted = Trusted(ca=up.ca, cert=up.cert, key=up.key)
            yield _certificate(
                f"{check} upstream", up.cert, now, partial(contexts.trusted, trusted)
            )
    for item in config.credentials:
        if item.cert is not None:
            shown = Trusted(cert=item.cert, key=item.key)
            check = f"credential {item.name}"
            yield _certificate(check, item.cert, now, partial(contexts.trusted, shown))
    if config.console.tls is not None:
        own = Served(cert=config.console.tls.cert, key=config.console.tls.key)
        yield _certificate("tls console", own.cert, now, partial(contexts.served, own))


def _certificate(
    check: str, path: Path | None, now: datetime, use: Callable[[], object]
) -> Finding:
    try:
        use()
    except ConfigurationError as error:
        return failed(check, error)
    if path is None:
        return Finding(check=check, state=State.OK, what="The CA can be read")
    end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    what = f"{path} lasts until {end:%Y-%m-%d %H:%M} UTC"
    state = State.OK if end > now + _RENEW else State.WARN if end > now else State.FAIL
    mend = "" if state is State.OK else "Renew it; proctor reads it again by itself."
    return Finding(check=check, state=state, what=what, mend=mend)


def disk(config: Config) -> Finding:
    """Is there room for the record?"""
    path = next(item for item in (config.audit.path, *config.audit.path.parents) if item.exists())
    reading = DiskWatch(path, config.limits.disk, report=lambda *_: None).look()
    state = {DiskState.OK: State.OK, DiskState.WARNING: State.WARN}.get(reading.state, State.FAIL)
    mend = "" if state is State.OK else "Make room: without it nothing is let through."
    return Finding(check="disk", state=state, what=f"{path}: {reading}", mend=mend)


def open_files(config: Config) -> Finding:
    """May the process hold as many connections as it is asked to?"""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # One to the client and one to the upstream for each.
    needed = 2 * config.limits.connections * max(len(config.listeners), 1) + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < needed:
        return Finding(
            check="open files",
            state=State.WARN,
            what=f"{soft} open files allowed; `limits.connections` may take {needed}",
            mend=f"`ulimit -n {needed}`, LimitNOFILE= in systemd, or lower the limit.",
        )
    return Finding(check="open files", state=State.OK, what="Enough are allowed")


def surroundings(config: Config, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What stands around proctor and cannot be settled from here."""
    named = sorted(name for name in environment if name.lower() in _PROXIES and environment[name])
    if named:
        via = all(listener.via for listener in config.listeners)
        yield Finding(
            check="proxy",
            state=State.OK if via else State.WARN,
            what=f"{', '.join(named)} in the environment: proctor passes over them",
            mend="" if via else "Where a proxy is needed, name it as `via` in the listener.",
        )
    yield Finding(
        check="egress",
        state=State.WARN,
        what="Whether clients can reach the service past proctor cannot be seen from here",
        mend="Let the network block it: a client that ignores its settings goes straight out.",
    )


def worst(findings: Sequence[Finding]) -> State:
    """The worst of all."""
    states = {finding.state for finding in findings}
    return next((state for state in (State.FAIL, State.WARN) if state in states), State.OK)


def utc_now() -> datetime:
    """The time, for checks."""
    return datetime.now(UTC)
