"""`oidc-bridge deliver`: carries the outbox out, in a process of its own; `serve` does the same in a thread."""

import atexit
import signal
import threading

import click

from bridge import logs
from bridge.cli.configured import configured
from bridge.config.settings import Config
from bridge.parts import Parts, assemble


@click.command()
@click.option("--once", is_flag=True, help="End as soon as nothing is due.")
@configured
def deliver(config: Config, once: bool) -> None:
    """Tell others what they have to be told, until SIGTERM or Ctrl-C.

    Every worker of `serve` does this too, unless BRIDGE_DELIVERY=off. Any number may run beside each other.
    """
    logs.set_up(config.log_level)
    parts = assemble(config)
    delivery = parts.delivery(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # By a thread: the handler may interrupt this one where it holds the very lock that it would wait for.
        signal.signal(number, lambda *_: threading.Thread(target=delivery.stop).start())
    try:
        delivery.run(once=once)
    finally:
        parts.close()


def start_delivery(config: Config, parts: Parts) -> None:
    """Carry the outbox out in a thread of this process until it ends, unless the setting leaves it to `deliver`."""
    if config.delivery == "off":
        return
    delivery = parts.delivery(config)
    thread = threading.Thread(target=delivery.run, name="delivery", daemon=True)

    def end() -> None:
        delivery.stop()
        thread.join()  # what is being sent is finished, so that it is not sent twice

    atexit.register(end)
    thread.start()
