"""The bridge as a WSGI application, `bridge.wsgi:app`, for gunicorn, waitress and their like.

Settings come from where they always do. The database must have been migrated (`oidc-bridge db upgrade`).
"""

import os

from bridge import logs
from bridge.app import create_app
from bridge.config.sources import load

_config = load(os.environ)
logs.set_up(_config.log_level)
app = create_app(_config)
# A server may load this before it forks: whoever answers opens connections of their own.
app.extensions["bridge"].database.close()
