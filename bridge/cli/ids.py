"""Commands whose argument is an id that we have made: base64url, which may begin with a dash."""

import click


class TakesId(click.Command):
    """A command that takes what looks like an option, and is none of its own, for its argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options first, then everything else behind `--`, where nothing is an option any more."""
        names = {name for option in self.get_params(ctx) for name in (*option.opts, *option.secondary_opts)}
        if "--" not in args:
            ids = [word for word in args if word.startswith("-") and word.partition("=")[0] not in names]
            args = [*(word for word in args if word not in ids), "--", *ids] if ids else args
        return super().parse_args(ctx, args)
