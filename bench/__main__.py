"""`python -m bench`: exit 0 with the table on stdout, 1 if the run failed, 2 if this system cannot be measured."""

import argparse
import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from bench import BenchFailed, slow
from bench.rounds import FULL, QUICK, measure
from bench.table import as_document, as_text
from bench.targets import targets
from bench.usage import is_measurable


def main() -> int:
    """Measure, and print."""
    arguments = _arguments()
    if not is_measurable():
        print("The CPU of other processes is read from Linux's /proc; this system has none.", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):  # like Ctrl-C: the server must not outlive us
        signal.signal(number, _stop)
    try:
        with ExitStack() as held:
            found = targets(held, quick=arguments.quick, say=_say)
            measured = measure(found, QUICK if arguments.quick else FULL, _say)
        waits = [] if arguments.quick else slow.on_both(_say, seconds=15)
    except BenchFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    print(as_text(measured))
    print(slow.as_text(waits) if waits else "")
    if arguments.json is not None:
        document = {**as_document(measured), "slow_dynamic": slow.as_document(waits)}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="CPU per exchange beside its bare cryptography.")
    parser.add_argument("--quick", action="store_true", help="a short run: whether it works, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
