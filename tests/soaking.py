"""`make soak`: every kind of honest use at once, for a long while, as keys rotate and the client changes.

Visitor    one user, in turns at an app that exchanges tokens and at one that signs in by the browser
Changes    what operators do meanwhile: a new signing key, a new secret, another name
judge      what has to hold at the end: nobody was turned away, no memory was lost, every refresh token that was
           handed out works or was ended by a cause that somebody wanted
"""

import argparse
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from databases import Databases, rows
from instances import ORIGIN
from loading import Device
from postgres import running_postgres
from served import tree_of
from standalone import CALLBACK, Standalone, standalone
from surfing import Surfer

from bench.usage import memory_kib
from bridge.clock import system_clock
from bridge.emulator import User
from bridge.emulator.webhooks import new_secret
from bridge.keylife import LEAD
from bridge.model import AUTHORIZATION_CODE
from bridge.store import Database, clients

VERIFIER = "v" * 43
SCOPE = "openid profile email wallets offline_access"
NOTICED_WITHIN = 20  # seconds from a revocation at Dynamic to its end here
KEYS_EVERY, SECRET_EVERY, NAME_EVERY, SAMPLE_EVERY = 20, 9, 3, 2  # seconds; a worker reads its keys every 15
MOST_GROWTH_KIB = 6 * 1024  # of one worker, from the second third of the time to the last


@dataclass
class Family:
    """The refresh tokens of one grant: the newest, and what ended it, if anything did."""

    token: str
    ended: str = ""


@dataclass
class Ledger:
    """What everybody has heard. `wrong`: what an honest client should not have."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    memory: list[tuple[float, dict[int, int]]] = field(default_factory=list)  # when, and KiB by process
    lock: Lock = field(default_factory=Lock)

    def note(self, what: str, status: int, expected: int, error: str) -> None:
        with self.lock:
            self.answers[what, status] += 1
            if status != expected:
                self.wrong.append(f"{what}: {status} {error}")

    def family(self, token: str) -> Family:
        with self.lock:
            self.families.append(Family(token))
            return self.families[-1]


@dataclass
class Secret:
    """The client's newest."""

    value: str


class Visitor:
    """One user with their app and their browser."""

    def __init__(self, bridge: Standalone, user: User, secret: Secret, ledger: Ledger) -> None:
        self._bridge = bridge
        self._user = user
        self._secret = secret
        self._ledger = ledger
        self._device = bridge.device(user)
        self._rounds = 0

    def work(self, ended: Event) -> None:
        while not ended.is_set():
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what an honest client met
                self._ledger.wrong.append(f"round: {error!r}")
            ended.wait(0.01)

    def _round(self) -> None:
        self._rounds += 1
        self._exchange()
        end = (self._leave, self._revoke, self._log_out, self._end_at_dynamic)[self._rounds % 4]
        end(*self._sign_in())

    def _exchange(self) -> None:
        """Tokens for a JWT of Dynamic's; every tenth grant goes on."""
        device = self._device = replace(self._bridge.device(self._user), client_secret=self._secret.value)
        self._heard(device.exchange())
        family = self._ledger.family(device.refresh_token or "")
        for _ in range(3):
            self._heard(device.refresh())
            family.token = device.refresh_token or ""
            self._heard(device.userinfo())
        for path in ("/jwks", "/.well-known/openid-configuration", "/readyz"):
            self._heard(device.get(path))
        self._introspect(device.access_token or "", active=True)
        if self._rounds % 10:
            self._post("/revoke", {"token": family.token}, 200)
            family.ended = "revoked"
            self._introspect(device.access_token or "", active=False)

    def _sign_in(self) -> tuple[Surfer, dict[str, Any], Family]:
        """By the browser, on Dynamic's page."""
        surfer = Surfer(ORIGIN)
        challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": "app",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        surfer.open(f"{self._bridge.issuer}/authorize?{urlencode(query)}")
        page = surfer.sign_in(self._user.email or "")
        told = dict(parse_qsl(urlsplit(page.url).query))
        self._ledger.note("sign-in", 200 if "code" in told else page.status, 200, told.get("error", page.text[:200]))
        form = {"code": told["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        tokens = self._post("/token", {"grant_type": AUTHORIZATION_CODE, **form}, 200)
        family = self._ledger.family(tokens["refresh_token"])
        self._refresh(family, 200)
        return surfer, tokens, family

    def _leave(self, surfer: Surfer, tokens: dict[str, Any], family: Family) -> None:
        """The window is closed, the app goes on."""

    def _revoke(self, surfer: Surfer, tokens: dict[str, Any], family: Family) -> None:
        self._post("/revoke", {"token": family.token}, 200)
        family.ended = "revoked"
        self._refresh(family, 400)

    def _log_out(self, surfer: Surfer, tokens: dict[str, Any], family: Family) -> None:
        query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": f"{ORIGIN}/"}
        page = surfer.open(f"{self._bridge.issuer}/logout?{urlencode(query)}")
        self._ledger.note("logout", 200 if page.url.startswith(ORIGIN) else page.status, 200, page.text[:200])
        family.ended = "signed out"
        self._refresh(family, 400)

    def _end_at_dynamic(self, surfer: Surfer, tokens: dict[str, Any], family: Family) -> None:
        """Dynamic tells by webhook; until it has, the app may still refresh."""
        world = self._bridge.dynamic.emulator
        world.revoke(world.management.sessions(self._user.id)[-1].sid)
        family.ended = "revoked at Dynamic"
        give_up_at = time.monotonic() + NOTICED_WITHIN
        while self._is_active(tokens["access_token"]):
            if time.monotonic() > give_up_at:
                self._ledger.note("webhook", 0, 200, "was never noticed")
                return
            time.sleep(0.1)
        self._ledger.note("webhook", 200, 200, "")
        self._refresh(family, 400)

    def _refresh(self, family: Family, expected: int) -> None:
        answer = self._post("/token", {"grant_type": "refresh_token", "refresh_token": family.token}, expected)
        family.token = answer.get("refresh_token", family.token)

    def _introspect(self, token: str, *, active: bool) -> None:
        found = self._is_active(token)
        self._ledger.note("introspection says", found, active, "of a token")

    def _is_active(self, token: str) -> bool:
        return bool(self._post("/introspect", {"token": token}, 200)["active"])

    def _post(self, path: str, form: dict[str, str], expected: int) -> dict[str, Any]:
        signed = urlencode({"client_id": "app", "client_secret": self._secret.value, **form})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        what = f"{path} {form.get('grant_type', '')}".strip()
        status, answer = self._device.ask(what, "POST", path, kind, signed)
        self._ledger.note(what, status, expected, self._device.heard[-1].error)
        return answer if isinstance(answer, dict) else {}

    def _heard(self, status: int) -> None:
        heard = self._device.heard[-1]
        self._ledger.note(heard.what, status, 200, heard.error)


def changes(bridge: Standalone, secret: Secret, ledger: Ledger) -> Sequence[tuple[float, Callable[[], object]]]:
    """What operators do, and how often; and a look at the memory."""
    numbers = iter(range(10**9))

    def another_name() -> None:
        with Database(bridge.database_url) as database, database.writing() as tx:
            found = clients.find_to_change(tx, "app")
            assert found is not None
            clients.change(tx, replace(found, name=f"App {next(numbers)}"), system_clock())

    def another_secret() -> None:
        with Database(bridge.database_url) as database, database.writing() as tx:
            added = clients.add_secret(tx, "app", system_clock(), overlap=60)
        time.sleep(clients.CACHED_FOR + 1)  # until every worker knows it; before, it is given to nobody
        secret.value = added

    def another_key() -> None:
        """Made by command. Ten minutes later it signs; here, as soon as every worker has read it."""
        waiting = rows(bridge.database_url, "SELECT kid FROM signing_keys WHERE state = 'pending'")
        if not waiting:
            made = bridge.instance.command("keys", "rotate", "--alg", "RS256")
            ledger.wrong += [] if made.returncode == 0 else [f"keys rotate: {made.stderr}"]
            return
        ready = (
            "UPDATE signing_keys SET created_at = created_at - :lead WHERE state = 'pending' AND created_at > :known"
        )
        rows(bridge.database_url, ready, lead=LEAD, known=system_clock() - LEAD)

    def look_at_memory() -> None:
        workers = {pid: memory_kib(pid) for pid in tree_of(bridge.instance.pid)[1:]}
        ledger.memory.append((time.monotonic(), workers))

    return (
        (NAME_EVERY, another_name),
        (SECRET_EVERY, another_secret),
        (KEYS_EVERY, another_key),
        (SAMPLE_EVERY, look_at_memory),
    )


def soak(folder: Path, *, seconds: float, database_url: str | None = None, visitors: int = 6) -> Ledger:
    """Let them all work for so long. What was wrong stands in the ledger."""
    ledger, ended, webhook_secret = Ledger(), Event(), new_secret()
    with standalone(folder, database_url=database_url, workers=2, DYNAMIC_WEBHOOK_SECRETS=webhook_secret) as bridge:
        world = bridge.dynamic.emulator
        world.webhooks.register(f"{bridge.issuer}/webhooks/dynamic/{world.environment_id}", secret=webhook_secret)
        secret = Secret(bridge.client_secret)
        crowd = [Visitor(bridge, bridge.user(number), secret, ledger) for number in range(visitors)]
        threads = [Thread(target=visitor.work, args=(ended,)) for visitor in crowd]
        threads += [
            Thread(target=_again_and_again, args=(every, act, ended, ledger))
            for every, act in changes(bridge, secret, ledger)
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        ended.set()
        for thread in threads:
            thread.join()
        _judge_families(bridge, secret, ledger)
        ledger.wrong += [line for line in bridge.log.splitlines() if '"bug"' in line or "Traceback" in line]
        _judge_keys(bridge, ledger, seconds)
    _judge_memory(ledger)
    return ledger


def _again_and_again(every: float, act: Callable[[], object], ended: Event, ledger: Ledger) -> None:
    while not ended.is_set():
        try:
            act()
        except Exception as error:  # noqa: BLE001 - it belongs to what is judged
            ledger.wrong.append(f"{act.__name__}: {error!r}")
        ended.wait(every)


def _judge_families(bridge: Standalone, secret: Secret, ledger: Ledger) -> None:
    """What was ended stays ended, and everything else still works."""
    for family in ledger.families:
        device = Device(bridge.instance.url, "app", secret.value, "", refresh_token=family.token)
        status = device.refresh()
        if status != (400 if family.ended else 200):
            ledger.wrong.append(f"at the end, {family.ended or 'not ended'}: {status} {device.heard[-1].error}")


def _judge_keys(bridge: Standalone, ledger: Ledger, seconds: float) -> None:
    (retired,) = rows(bridge.database_url, "SELECT count(*) FROM signing_keys WHERE state = 'retired'")[0]
    if seconds >= 2.5 * KEYS_EVERY and not retired:
        ledger.wrong.append("no key rotated")


def _judge_memory(ledger: Ledger) -> None:
    third = len(ledger.memory) // 3
    before, after = ledger.memory[third : 2 * third], ledger.memory[2 * third :]
    for pid in after[-1][1] if after else ():
        then = [found[pid] for _, found in before if pid in found]
        now = [found[pid] for _, found in after if pid in found]
        if not then or median(now) - median(then) > MOST_GROWTH_KIB:
            ledger.wrong.append(f"process {pid}: {then and median(then)} KiB, later {median(now)} KiB")


def told(ledger: Ledger) -> str:
    """What happened, for people."""
    lines = [f"{what:<36}{status:>5}{count:>9,}" for (what, status), count in sorted(ledger.answers.items())]
    ends = Counter(family.ended or "still works" for family in ledger.families)
    lines += ["", *(f"refresh tokens, {how}: {count:,}" for how, count in sorted(ends.items()))]
    looks = [found for _, found in ledger.memory[:: max(1, len(ledger.memory) // 10)]]
    for pid in looks[-1] if looks else ():
        course = ", ".join(f"{found[pid] / 1024:.1f}" for found in looks if pid in found)
        lines.append(f"memory of process {pid}, MiB: {course}")
    lines += ["", *(f"WRONG {line}" for line in ledger.wrong[:50]), f"{len(ledger.wrong)} wrong"]
    return "\n".join(lines)


def main() -> int:
    """Exit 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(prog="soak", description="Every kind of honest use, for a long while.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    chosen = parser.parse_args()
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="oidc-bridge-soak-")))
        server = held.enter_context(running_postgres() if chosen.database == "postgresql" else nullcontext())
        url = None if server is None else Databases(server.url()).create(migrated=True)
        ledger = soak(folder, seconds=chosen.seconds, database_url=url)
    sys.stdout.write(told(ledger) + "\n")
    return 1 if ledger.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
