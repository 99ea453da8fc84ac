"""The figures for people, and for programs."""

import platform
from typing import Any

from bench.limit import KEY_BITS
from bench.rounds import Figures, Measured, Memory

_HEADINGS = ("CPU ms", "limit ms", "share", "req/s", "p50 ms", "p99 ms")


def as_text(measured: Measured) -> str:
    """The table, the memory, and what the columns mean."""
    width = max(len(row.case.name) for row in measured.figures)
    large, small = measured.assertion_characters
    lines = [
        " " * width + "".join(f"{heading:>10}" for heading in _HEADINGS),
        *(f"{row.case.name:<{width}}" + "".join(f"{cell:>10}" for cell in _cells(row)) for row in measured.figures),
        "",
        _memory_line(measured.memory),
        "",
        f"CPU: user + system of the server's process tree per request, median of {measured.plan.rounds} blocks.",
        f"limit: one RS256 verification ({KEY_BITS} bit) and two signatures, bare, measured beside each block.",
        "share: limit / CPU. 100 % would be a server that does nothing but its cryptography.",
        "req/s, p50, p99: one connection, one request after the other.",
        f"An assertion has {large:,} characters, a small one {small:,}.",
    ]
    return "\n".join(lines)


def as_document(measured: Measured) -> dict[str, Any]:
    """The same figures as a JSON document."""
    memory = measured.memory
    large, small = measured.assertion_characters
    return {
        "python": platform.python_version(),
        "rounds": measured.plan.rounds,
        "rsa_key_bits": KEY_BITS,
        "assertion_characters": {"large": large, "small": small},
        "cases": {row.case.name: _document(row) for row in measured.figures},
        "memory": {
            "exchanges": memory.exchanges,
            "before_kib": memory.before_kib,
            "after_kib": memory.after_kib,
            "growth_kib": memory.after_kib - memory.before_kib,
        },
    }


def _document(row: Figures) -> dict[str, float | int | None]:
    return {
        "requests": len(row.latencies),
        "cpu_ms": row.cpu_ms,
        "limit_ms": row.limit_ms,
        "share_percent": row.share_percent,
        "requests_per_second": row.requests_per_second,
        "p50_ms": row.latency_ms(50),
        "p99_ms": row.latency_ms(99),
    }


def _cells(row: Figures) -> tuple[str, ...]:
    limit, share = row.limit_ms, row.share_percent
    return (
        f"{row.cpu_ms:.3f}",
        f"{limit:.3f}" if limit is not None else "",
        f"{share:.0f} %" if share is not None else "",
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
