"""Every setting, where it comes from, and what would be unsafe.

    environment ─▶ env file ─▶ bridge.toml ─▶ default          (the first that has it wins)

`settings` is what the parts are built from, plain enough to be handed to a worker process. `sources` reads it and is
the only door to pydantic-settings; `checks` and `client_checks` say what is wrong with it, everything at once.
"""

from bridge.config.settings import Config, ConfigFaults, Fault

__all__ = ["Config", "ConfigFaults", "Fault"]
