"""Which servers a run measures beside each other."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from bench.peer import is_installed, peer_staged
from bench.postgresql import own_postgresql
from bench.rounds import Target
from bench.rows import grow
from bench.stage import staged
from bridge.emulator import RunningEmulator, run

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


def _on_postgresql(held: ExitStack, dynamic: RunningEmulator, say: Callable[[str], None]) -> list[Target]:
    """One and two workers on a PostgreSQL of our own."""
    server = own_postgresql(held, say)
    if server is None:
        return []
    return [
        Target(
            f"bridge, PostgreSQL, {words}",
            replace(
                held.enter_context(staged(dynamic, workers=workers, database_url=server.new_database())),
                database_group=server.pid,
            ),
            _COMPARED,
        )
        for workers, words in ((1, "one worker"), (2, "two workers"))
    ]
