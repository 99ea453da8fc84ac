"""The command's table of contents."""

from importlib import import_module

import click

import bridge

# Where each command is; imported only when it is called.
_COMMANDS = {
    "init": "bridge.cli.init",
    "check": "bridge.cli.check",
    "serve": "bridge.cli.serve",
    "demo": "bridge.cli.demo",
    "explain": "bridge.cli.explain",
    "reasons": "bridge.cli.reasons",
    "client": "bridge.cli.client",
    "db": "bridge.cli.db",
    "sweep": "bridge.cli.db",
    "emulator": "bridge.cli.emulator",
    "dynamic": "bridge.cli.dynamic",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bridge.__version__, prog_name="oidc-bridge")
def main() -> None:
    """An OpenID Provider that takes Dynamic JWTs as identity assertions.

    Start with `oidc-bridge demo` (nothing needed), or `oidc-bridge init` (your own Dynamic environment).
    """
