"""A local Dynamic: what the bridge talks to when the real one is not wanted.

    Emulator (world)      users ── credentials          the environment: one lock, one key ring, one set of
       │                  sessions ── refresh, revoke    switches; mints what Dynamic would issue, and on
       │                  keys ── jwks, pem, rotate      request what Dynamic never would
       │                  switches ── what we only guess about Dynamic
       │                  faults ── how a network goes wrong
       │                  email_codes, nonces ── what pages were given to sign in with
       │                  management ── what the customer does ── journal ── the events of it all
       │                  webhooks ── who is told, when, how often
       ▼
    create_app (app)      /api/v0/...  Dynamic's own paths (api; sdk, for pages of any origin: cors)
       │                  /admin/...   ours: users, tokens, keys, switches, faults (admin)
       │                  /signin      a sign-in page as an app would have one, without a script (signin, pages/)
       │                  /identity    the social providers, played by one page (identity)
       ▼
    run (server)          a loopback port in a thread; `fixture` makes it the pytest fixture `dynamic`

It imports nothing of the bridge and signs by its own path, so that a test which passes here is the agreement of two
parties. Each fact the bridge relies on without proof is a field of `Switches`: turn it, and see what the bridge does.
"""

from bridge.emulator.app import create_app
from bridge.emulator.destinations import LOCAL_APPS
from bridge.emulator.email_codes import EmailCode, EmailCodes
from bridge.emulator.errors import (
    NotAuthenticatedError,
    SessionEndedError,
    UnknownCredentialError,
    UnknownKeyError,
    UnknownSessionError,
    UnknownUserError,
    WrongPasswordError,
)
from bridge.emulator.faults import Fault, FaultMode, Faults
from bridge.emulator.model import (
    Credential,
    NewCredential,
    NewEmail,
    NewOAuth,
    NewOther,
    NewPhone,
    NewWallet,
    Session,
    User,
    UserFields,
    UserState,
)
from bridge.emulator.server import RunningEmulator, run
from bridge.emulator.switches import Switches
from bridge.emulator.world import DEMO_ENVIRONMENT_ID, Emulator

__all__ = [
    "DEMO_ENVIRONMENT_ID",
    "LOCAL_APPS",
    "Credential",
    "EmailCode",
    "EmailCodes",
    "Emulator",
    "Fault",
    "FaultMode",
    "Faults",
    "NewCredential",
    "NewEmail",
    "NewOAuth",
    "NewOther",
    "NewPhone",
    "NewWallet",
    "NotAuthenticatedError",
    "RunningEmulator",
    "Session",
    "SessionEndedError",
    "Switches",
    "UnknownCredentialError",
    "UnknownKeyError",
    "UnknownSessionError",
    "UnknownUserError",
    "User",
    "UserFields",
    "UserState",
    "WrongPasswordError",
    "create_app",
    "run",
]
