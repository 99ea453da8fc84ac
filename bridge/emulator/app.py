"""The emulator as a Flask app: Dynamic's API, the admin API, the sign-in page, and the edge around them."""

from threading import Event

from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from bridge.emulator.admin import admin_api
from bridge.emulator.api import dynamic_api
from bridge.emulator.cors import answer_pages
from bridge.emulator.edge import Edge
from bridge.emulator.identity import identity_provider
from bridge.emulator.signin import signin_page
from bridge.emulator.world import Emulator

LARGEST_BODY = 1024 * 1024


def create_app(emulator: Emulator, *, stopping: Event | None = None) -> Flask:
    """A WSGI app over `emulator`; setting `stopping` ends the waits of its faults. Several apps may share one."""
    app = Flask("bridge.emulator", static_folder=None, template_folder="pages")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    answer_pages(app, emulator)
    app.register_blueprint(dynamic_api(emulator))
    app.register_blueprint(admin_api(emulator))
    app.register_blueprint(signin_page(emulator))
    app.register_blueprint(identity_provider(emulator))
    app.register_error_handler(HTTPException, _as_json)
    app.wsgi_app = Edge(app.wsgi_app, emulator, stopping or Event())  # type: ignore[method-assign]
    return app


def _as_json(error: HTTPException) -> ResponseReturnValue:
    body = {"error": error.description or error.name, "code": error.name.lower().replace(" ", "_")}
    return body, error.code or 500
