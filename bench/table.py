"""The figures for people, and for programs."""

import platform
from typing import Any

from bench.limit import KEY_BITS
from bench.rounds import CONNECTIONS, Figures, Measured, Memory

_HEADINGS = ("CPU ms", "database", "limit ms", "share", "x peer", "req/s", "p50 ms", "p99 ms")


def as_text(measured: Measured) -> str:
    """A table for each target, the memory, and what the columns mean."""
    width = max(len(row.case.name) for _, figures in measured.targets for row in figures)
    large, small = measured.assertion_characters
    peer = _peer(measured)
    lines: list[str] = []
    for target, figures in measured.targets:
        lines += [target.name.ljust(width) + "".join(f"{heading:>10}" for heading in _HEADINGS)]
        lines += [
            f"{row.case.name:<{width}}" + "".join(f"{cell:>10}" for cell in _cells(row, peer.get(row.case.name)))
            for row in figures
        ]
        start = target.stage.cold_start
        lines += [f"cold start: {start:.2f} s" if start else "", ""]
    return "\n".join(
        [
            *lines,
            _memory_line(measured.memory),
            "",
            f"CPU: user + system of the server's process tree per request, median of {measured.plan.rounds} blocks;",
            "database: that of PostgreSQL's processes beside it (SQLite's is in the server's own).",
            f"limit: one RS256 verification ({KEY_BITS} bit) and two signatures, bare, measured beside each block.",
            "share: limit / CPU. 100 % would be a server that does nothing but its cryptography.",
            "x peer: how many times the CPU oidc-provider spends on the same.",
            f"req/s, p50, p99: {CONNECTIONS} connections, each with one request at a time, from the same machine.",
            f"An assertion has {large:,} characters, a small one {small:,}.",
        ]
    )


def as_document(measured: Measured) -> dict[str, Any]:
    """The same figures as a JSON document."""
    memory = measured.memory
    large, small = measured.assertion_characters
    return {
        "python": platform.python_version(),
        "rounds": measured.plan.rounds,
        "rsa_key_bits": KEY_BITS,
        "connections": CONNECTIONS,
        "assertion_characters": {"large": large, "small": small},
        "cases": {row.case.name: _document(row) for row in measured.figures},
        "targets": {
            target.name: {
                "cold_start_seconds": target.stage.cold_start,
                "cases": {row.case.name: _document(row) for row in figures},
            }
            for target, figures in measured.targets
        },
        "memory": {
            "exchanges": memory.exchanges,
            "before_kib": memory.before_kib,
            "after_kib": memory.after_kib,
            "growth_kib": memory.after_kib - memory.before_kib,
        },
    }


def _peer(measured: Measured) -> dict[str, float]:
    return {
        row.case.name: row.cpu_ms for target, figures in measured.targets if target.stage.is_peer for row in figures
    }


def _document(row: Figures) -> dict[str, float | int | None]:
    return {
        "requests": len(row.latencies),
        "cpu_ms": row.cpu_ms,
        "database_ms": row.database_ms,
        "limit_ms": row.limit_ms,
        "share_percent": row.share_percent,
        "requests_per_second": row.requests_per_second,
        "p50_ms": row.latency_ms(50),
        "p99_ms": row.latency_ms(99),
    }


def _cells(row: Figures, peer_ms: float | None) -> tuple[str, ...]:
    limit, share, database = row.limit_ms, row.share_percent, row.database_ms
    return (
        f"{row.cpu_ms:.3f}",
        f"{database:.3f}" if database is not None else "",
        f"{limit:.3f}" if limit is not None else "",
        f"{share:.0f} %" if share is not None else "",
        f"{peer_ms / row.cpu_ms:.1f}" if peer_ms is not None and row.cpu_ms else "",
        f"{row.requests_per_second:,.0f}",
        f"{row.latency_ms(50):.2f}",
        f"{row.latency_ms(99):.2f}",
    )


def _memory_line(memory: Memory) -> str:
    grown = memory.after_kib - memory.before_kib
    return (
        f"Memory of the worker (PSS): {memory.before_kib / 1024:.1f} MiB, after {memory.exchanges:,} more exchanges "
        f"{memory.after_kib / 1024:.1f} MiB: {grown:+,} KiB, {grown * 1024 / memory.exchanges:+.0f} bytes each."
    )
