"""A bridge in a process of its own that is killed at a chosen point of one request, as by a power cut."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from flask import Flask
from watching import hearing

from bridge.app import create_app
from bridge.config import Config
from bridge.history import OPERATOR
from bridge.lifecycle.endings import revoke_user

Answer = tuple[int, Any]

_context = get_context("forkserver")
_context.set_forkserver_preload(["bridge.app", "killing"])  # so that a child is a fork of what is imported already


def request_with_kill(
    config: Config,
    now: int,
    path: str,
    form: Mapping[str, str] | bytes,
    kill_at: int,
    headers: Mapping[str, str] | None = None,
) -> Answer | None:
    """What a fresh bridge answers to a request; None if it was killed at that point before it could.

    Its points are: before each statement, BEGIN and COMMIT among them, and after each transaction.
    """
    sent = form if isinstance(form, bytes) else dict(form)
    answer: Answer | None = _answer_of(kill_at, _request, config, now, path, sent, dict(headers or {}))
    return answer


@dataclass(frozen=True)
class Visit:
    """A request of a browser's, with everything that it sends along."""

    method: str
    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def visit_with_kill(config: Config, now: int, visit: Visit, kill_at: int) -> Answer | None:
    """The same for a browser; status, and where it is sent."""
    answer: Answer | None = _answer_of(kill_at, _visit, config, now, visit)
    return answer


def rotation_with_kill(config: Config, now: int, kill_at: int) -> bool:
    """Take what steps are due of the signing keys' lives in a process of its own; False if it was killed."""
    return _answer_of(kill_at, _rotate, config, now) is not None


def delivery_with_kill(config: Config, now: int, kill_at: int) -> bool:
    """Carry out what is due in a process of its own; False if it was killed at that point. The points are the same."""
    return _answer_of(kill_at, _deliver, config, now) is not None


def revocation_with_kill(config: Config, now: int, kill_at: int, sub: str) -> bool:
    """Sign a user out everywhere in a process of its own; False if it was killed at that point."""
    return _answer_of(kill_at, _revoke, config, now, sub) is not None


def _answer_of(kill_at: int, work: Callable[..., Any], config: Config, now: int, *arguments: Any) -> Any:
    receiving, sending = _context.Pipe(duplex=False)
    child = _context.Process(target=_work, args=(sending, kill_at, work, config, now, *arguments))
    child.start()
    sending.close()
    try:
        answer = receiving.recv()
    except EOFError:
        answer = None
    child.join(timeout=30)
    receiving.close()
    if child.exitcode != (0 if answer else -signal.SIGKILL):
        raise AssertionError(f"the bridge ended by itself: {child.exitcode}")
    return answer


def _work(
    sending: Connection, kill_at: int, work: Callable[..., Any], config: Config, now: int, *arguments: Any
) -> None:
    app = create_app(config, lambda: now)
    points = count(1)

    def point(*_: Any) -> None:
        if next(points) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with hearing(point, let_go=point):
        answer = work(app, config, now, *arguments)
    sending.send(answer)
    app.extensions["bridge"].close()


def _request(
    app: Flask, config: Config, now: int, path: str, form: dict[str, str] | bytes, headers: dict[str, str]
) -> Answer:
    answer = app.test_client(use_cookies=False).post(path, data=form, headers=headers)
    return answer.status_code, answer.get_json(silent=True)


def _visit(app: Flask, config: Config, now: int, visit: Visit) -> Answer:
    wire = app.test_client(use_cookies=False)
    answer = wire.open(visit.path, method=visit.method, data=dict(visit.form), headers=dict(visit.headers))
    return answer.status_code, answer.headers.get("Location", "")


def _rotate(app: Flask, config: Config, now: int) -> str:
    app.extensions["bridge"].keyring.keep_fresh(now)
    return "done"


def _deliver(app: Flask, config: Config, now: int) -> str:
    app.extensions["bridge"].delivery(config, lambda: now).run_due(now)
    return "done"


def _revoke(app: Flask, config: Config, now: int, sub: str) -> str:
    with app.extensions["bridge"].database.writing() as tx:
        revoke_user(tx, sub, actor=OPERATOR, now=now)
    return "done"
