"""The command's table of contents."""

from importlib import import_module

import click

import bridge

# Each command is the module of its name; the line is what --help says, so that --help imports none of them.
COMMANDS = {
    "init": "Make bridge.env, the database and the first client.",
    "check": "Report every fault of configuration and database.",
    "doctor": "Audit the configuration and each client against current practice.",
    "serve": "Serve.",
    "demo": "See a Dynamic JWT become standard OIDC tokens, here and now.",
    "explain": "Explain a Dynamic JWT: each check, and the claims that would be issued.",
    "reasons": "What a refusal means and what mends it.",
    "login-page": "Build the bridge's own sign-in page.",
    "client": "Registered applications.",
    "keys": "Keys that sign tokens, and the keys they are sealed under.",
    "user": "People who were here.",
    "session": "Browsers that are signed in.",
    "outbox": "What has still to be told to others.",
    "deliver": "Tell it to them, in a process of its own.",
    "audit": "What happened, and why something ended.",
    "db": "The database's schema.",
    "sweep": "Remove what has expired.",
    "emulator": "Run a local Dynamic to develop against.",
    "dynamic": "Ask Dynamic itself.",
}


class _Contents(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"bridge.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Contents, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bridge.__version__, prog_name="oidc-bridge")
def main() -> None:
    """An OpenID Provider that takes Dynamic JWTs as identity assertions.

    Start with `oidc-bridge demo` (nothing needed), or `oidc-bridge init` (your own Dynamic environment).
    """
