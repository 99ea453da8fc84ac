"""`oidc-bridge reasons`: what a refusal means."""

import click

from bridge.signin_reasons import REASONS


@click.command()
@click.argument("code", required=False)
@click.option("--markdown", is_flag=True, help="All of them, as docs/reasons.md.")
def reasons(code: str | None, markdown: bool) -> None:
    """What a refusal's reason CODE means and what mends it; without CODE, all of them."""
    if markdown:
        click.echo(page(), nl=False)
        return
    chosen = [reason for reason in REASONS.values() if code in (None, reason.code)]
    if not chosen:
        raise click.UsageError(f"There is no reason {code!r}.")
    for reason in chosen:
        click.secho(reason.code, bold=True)
        click.echo(f"  {reason.means}\n  → {reason.mends}\n")


def page() -> str:
    """docs/reasons.md."""
    sections = [
        f"## {reason.code}\n\n{reason.means}\n\n**What mends it:** {reason.mends}\n" for reason in REASONS.values()
    ]
    return (
        "# Reasons for refusals\n\n"
        "Each stands in the log (`reason`), and in the answer as `error_uri`, a page of the bridge itself. A code,\n"
        "once published, keeps its meaning. `oidc-bridge reasons --markdown` makes this page.\n\n" + "\n".join(sections)
    )
