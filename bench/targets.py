"""Which servers a run measures beside each other."""

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from bench.peer import is_installed, peer_staged
from bench.rounds import Target
from bench.rows import grow
from bench.stage import staged
from bridge.emulator import run

FEW, MANY = 1_000, 1_000_000
_COMPARED = ("exchange RS256", "exchange ES256", "exchange RS256, refresh token", "refresh RS256", "userinfo")


def targets(held: ExitStack, *, quick: bool, say: Callable[[str], None]) -> list[Target]:
    """The servers, started; `held` stops them. A quick run has the first, and the peer if it is installed."""
    dynamic = held.enter_context(run())
    first = held.enter_context(staged(dynamic))
    found = [Target("bridge, SQLite, one worker", first)]
    if not quick:
        grow(first, FEW)
        found.append(Target("bridge, SQLite, two workers", held.enter_context(staged(dynamic, workers=2)), _COMPARED))
        say(f"{MANY:,} users and tokens")
        large = held.enter_context(staged(dynamic))
        grow(large, MANY)
        found.append(Target("bridge, SQLite, a million users and tokens", large, _COMPARED))
        found += _on_postgresql(held, dynamic, say)
    if is_installed():
        found.append(Target("oidc-provider, better-sqlite3", held.enter_context(peer_staged(dynamic))))
    elif not quick:
        say("The peer is not installed: npm ci in bench/peers brings it.")
    return found


def _on_postgresql(held: ExitStack, dynamic: object, say: Callable[[str], None]) -> list[Target]:
    """One and two workers on a PostgreSQL of our own, which the tests know how to start."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    with suppress(ImportError):
        from databases import Databases
        from postgres import PostgresMissing, running_postgres

        try:
            server = held.enter_context(running_postgres())
        except PostgresMissing as missing:
            say(f"No PostgreSQL: {missing}")
            return []
        made = Databases(server.url())
        return [
            Target(
                f"bridge, PostgreSQL, {words}",
                replace(
                    held.enter_context(staged(dynamic, workers=workers, database_url=made.create(migrated=True))),
                    database_group=server.pid,
                ),
                _COMPARED,
            )
            for workers, words in ((1, "one worker"), (2, "two workers"))
        ]
    return []
