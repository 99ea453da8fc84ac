"""The command `oidc-bridge`.

Data goes to stdout, everything else to stderr. Exit codes: 0 it worked, 1 refused or failed, 2 wrong usage. Secrets
and tokens come by stdin or file, never as arguments, which other users of a machine can read. A command's
module is imported when the command is called, so that `--help` is instant.
"""

from bridge.cli.main import main

__all__ = ["main"]
