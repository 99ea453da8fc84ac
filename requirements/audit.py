"""`make audit`: known vulnerabilities in everything that is locked. A database that does not answer is a failure."""

import subprocess
import sys
from pathlib import Path

LOCKS = sorted(Path(__file__).parent.glob("*.lock"))
UNANSWERED = ("could not be audited", "Could not connect", "ConnectionError", "Traceback", "Failed to")


def main(pip_audit: str) -> int:
    """Audit each lock file; 0 if nothing is known against any of it."""
    failed = False
    for lock in LOCKS:
        done = subprocess.run(
            [pip_audit, "--strict", "--disable-pip", "--progress-spinner=off", "-r", str(lock)],
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, end="")
        if done.returncode == 0:
            print(f"{lock.name}: no vulnerability is known.")
            continue
        failed = True
        if any(words in done.stderr for words in UNANSWERED) or not done.stdout:
            print(done.stderr.strip()[-500:], file=sys.stderr)
            print(f"{lock.name}: NOT AUDITED. The database of vulnerabilities cannot be reached.", file=sys.stderr)
        else:
            print(f"{lock.name}: has what is listed above.", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
