"""A bridge in a process of its own that is killed at a chosen point of one request, as by a power cut."""

import os
import signal
from collections.abc import Mapping
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, Pool, event

from bridge.app import create_app
from bridge.config import Config

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

    Its points are: before and after each statement, before each commit, and after each transaction.
    """
    receiving, sending = _context.Pipe(duplex=False)
    sent = form if isinstance(form, bytes) else dict(form)
    child = _context.Process(target=_answer, args=(config, now, path, sent, kill_at, dict(headers or {}), sending))
    child.start()
    sending.close()
    try:
        answer: Answer | None = receiving.recv()
    except EOFError:
        answer = None
    child.join(timeout=30)
    receiving.close()
    if child.exitcode != (0 if answer else -signal.SIGKILL):
        raise AssertionError(f"the bridge ended by itself: {child.exitcode}")
    return answer


def _answer(
    config: Config,
    now: int,
    path: str,
    form: dict[str, str] | bytes,
    kill_at: int,
    headers: dict[str, str],
    sending: Connection,
) -> None:
    app = create_app(config, lambda: now)
    points = count(1)

    def point(*_: Any) -> None:
        if next(points) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, name, point)
    event.listen(Pool, "checkin", point)
    answer = app.test_client(use_cookies=False).post(path, data=form, headers=headers)
    sending.send((answer.status_code, answer.get_json(silent=True)))
    app.extensions["bridge"].close()
