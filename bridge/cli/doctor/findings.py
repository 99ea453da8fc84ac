"""What an audit finds."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much a finding matters; the order is that of the report."""

    ERROR = ("error", "✗", "red")
    WARNING = ("warning", "!", "yellow")
    ADVICE = ("advice", "•", "cyan")

    def __init__(self, word: str, mark: str, colour: str) -> None:
        self.word = word
        self.mark = mark
        self.colour = colour

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that could be better: what is so, why that matters (with its source), and what mends it."""

    severity: Severity
    where: str  # "server", "environment …" or "client …"
    what: str
    why: str
    mend: str


def error(where: str, what: str, why: str, mend: str) -> Finding:
    """A hole, or something that cannot work."""
    return Finding(Severity.ERROR, where, what, why, mend)


def warning(where: str, what: str, why: str, mend: str) -> Finding:
    """Weaker than current practice demands."""
    return Finding(Severity.WARNING, where, what, why, mend)


def advice(where: str, what: str, why: str, mend: str) -> Finding:
    """Safe, and could be better."""
    return Finding(Severity.ADVICE, where, what, why, mend)
