"""What a Dockerfile says, as far as ours needs it: stages, and their instructions in order."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """One stage: its name, what it begins from, and its instructions as (word, rest)."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.steps if instruction == word]


def stages(path: Path) -> dict[str, Stage]:
    """The stages of the file by name; what an ARG before the first one says is filled in."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    values: dict[str, str] = {}
    found: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "ARG" and not found:
            name, _, value = rest.partition("=")
            values[name] = value
        elif word == "FROM":
            base, _, name = rest.partition(" AS ")
            for argument, value in values.items():
                base = base.replace(f"${{{argument}}}", value)
            found[name] = Stage(name, base)
        elif word:
            list(found.values())[-1].steps.append((word, rest.strip()))
    return found
