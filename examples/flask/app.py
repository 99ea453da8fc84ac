"""Sign-in with Dynamic in a Flask app: one OpenID Provider, found by discovery, and Authlib's client for it."""

import os
import secrets
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, flash, redirect, render_template, session, url_for

ISSUER = os.environ["AUTH_DYNAMIC_ISSUER"]

app = Flask(__name__)
app.secret_key = secrets.token_bytes()  # signs the cookie, and lasts as long as what the cookie leads to
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"  # no other site can press our buttons
signed_in = {}  # tokens by the value in the cookie. In memory here: put them where your sessions are

dynamic = OAuth(app).register(
    "dynamic",
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_id=os.environ["AUTH_DYNAMIC_ID"],
    client_secret=os.environ["AUTH_DYNAMIC_SECRET"],
    client_kwargs={"scope": "openid profile email wallets offline_access", "code_challenge_method": "S256"},
)


@app.get("/")
def home():
    return render_template("home.html", issuer=ISSUER, tokens=signed_in.get(session.get("id")))


@app.get("/sign-in")
def sign_in():
    return dynamic.authorize_redirect(url_for("callback", _external=True))


@app.get("/sign-in/silently")
def sign_in_silently():
    """For who is signed in at the bridge: no page is shown. For anybody else `login_required` comes back."""
    return dynamic.authorize_redirect(url_for("callback", _external=True), prompt="none")


@app.get("/callback")
def callback():
    try:
        tokens = dynamic.authorize_access_token()  # checks state, redeems the code, verifies the ID token
    except OAuthError as refusal:
        flash(refusal.error)
        return redirect(url_for("home"))
    signed_in.pop(session.get("id"), None)
    session["id"] = secrets.token_urlsafe()
    signed_in[session["id"]] = {**tokens, "renewals": 0}
    return redirect(url_for("home"))


@app.post("/renew")
def renew():
    """New tokens by the refresh token. An app does this when the access token has expired; here it is a button."""
    held = signed_in.get(session.get("id"))
    if held is None:
        return redirect(url_for("home"))
    same = {"iss": {"value": ISSUER}, "sub": {"value": held["userinfo"]["sub"]}}
    try:
        tokens = dynamic.fetch_access_token(grant_type="refresh_token", refresh_token=held["refresh_token"])
        claims = dynamic.parse_id_token(tokens, nonce=None, claims_options=same)
    except OAuthError as refusal:  # the bridge has ended what the token stood for
        flash(refusal.error)
        del signed_in[session.pop("id")]
    else:
        signed_in[session["id"]] = {**held, **tokens, "userinfo": claims, "renewals": held["renewals"] + 1}
    return redirect(url_for("home"))


@app.post("/sign-out")
def sign_out():
    """Ends the session here, then the one at the bridge, which sends the browser back."""
    tokens = signed_in.pop(session.pop("id", None), None)
    if tokens is None:
        return redirect(url_for("home"))
    parameters = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": url_for("home", _external=True)}
    return redirect(f"{dynamic.load_server_metadata()['end_session_endpoint']}?{urlencode(parameters)}")
