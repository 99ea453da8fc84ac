"""What a process group spends, as Linux counts it in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

from bench import BenchFailed

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def is_measurable() -> bool:
    """Whether this system tells CPU and memory the way we read them: Linux alone does."""
    return (_PROC / "self" / "smaps_rollup").exists()


def cpu_seconds(group: int) -> float:
    """User and system time of every process in the group, the children that have ended included."""
    # utime, stime, cutime, cstime: the 14th to 17th field; a process's ended children are counted by it alone.
    return sum(int(ticks) for _, fields in _group(group) for ticks in fields[11:15]) / _TICKS_PER_SECOND


def tree_cpu_seconds(root: int) -> float:
    """The same for a process and its children, whatever groups they are in: PostgreSQL's form one each."""
    found = [fields for pid, fields in _every() if pid == root or int(fields[1]) == root]
    return sum(int(ticks) for fields in found for ticks in fields[11:15]) / _TICKS_PER_SECOND


def worker_of(group: int) -> int:
    """The one process in the group that answers requests: the largest child of the first."""
    members = [pid for pid, _ in _group(group)]
    if not members:
        raise BenchFailed("the server has no worker")
    children = [pid for pid, fields in _group(group) if int(fields[1]) == group]
    return max(children or members, key=memory_kib)  # Node's is the first process itself


def memory_kib(pid: int) -> int:
    """Proportional set size: what the process holds alone, and its share of what it holds with others."""
    rollup = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def _group(group: int) -> Iterator[tuple[int, list[str]]]:
    """Each process of the group, and the fields of its `stat` from the third (state) on."""
    return ((pid, fields) for pid, fields in _every() if int(fields[2]) == group)


def _every() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has just ended
            continue
        fields = stat.rpartition(")")[2].split()  # the second field, a name, may hold spaces and parentheses
        yield int(entry.name), fields
