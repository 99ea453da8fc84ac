"""From an assertion to a Grant: what every door that takes one shares."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bridge.dynamic.claims import identity_of, identity_with_profile
from bridge.dynamic.profile import fetch_profile
from bridge.dynamic.verify import Door, Verifier
from bridge.errors import FetchFailed, NoAnswer, Refused
from bridge.fetch import Fetcher
from bridge.history import DYNAMIC, Cause
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.endings import end_dynamic_session
from bridge.lifecycle.gate import may_act, may_issue
from bridge.lifecycle.refresh import horizon
from bridge.model import OFFLINE_ACCESS, Assertion, ClaimRule, Client, Grant, Identity, Json
from bridge.ratelimit import RateLimits
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Database, Tx, consents, grants, recognition, seen, users
from bridge.store.grants import Ground
from bridge.store.recognition import Known
from bridge.subjects import client_session

log = logging.getLogger(__name__)

PAUSE = 5  # seconds without a question to an environment that did not answer the last one


@dataclass(frozen=True, slots=True)
class Accepted:
    """An assertion that the door let in, and the identity it proves."""

    assertion: Assertion
    identity: Identity


def door_of(client: Client) -> Door:
    """What a client's own door asks of an assertion: that it was issued to one of its pages, and lately."""
    return Door(origins=frozenset(client.assertion_origins), max_age=client.assertion_max_age)


class Assertions:
    """Takes assertions in and makes grants of them. `profile_scopes` hand over what a small token does not carry."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        fetcher: Fetcher,
        database: Database,
        rules: Sequence[ClaimRule],
        profile_scopes: Collection[str],
        primary_environment: str,
        limits: RateLimits,
    ) -> None:
        self._verifier = verifier
        self._fetcher = fetcher
        self._database = database
        self._rules = rules
        self._primary_environment = primary_environment
        self._limits = limits
        self._profile_scopes = frozenset(profile_scopes)
        self._unvouched_scopes = frozenset({"groups", *(rule.scope for rule in rules)})
        self._unvouched_claims = frozenset({"groups", *(rule.claim for rule in rules)})
        self._unanswered_at: dict[str, int] = {}  # by environment

    def accept(self, raw: str, client: Client, door: Door, scope: Collection[str], now: int) -> Accepted:
        """The assertion in `raw` at one of a client's doors, with its profile as far as `scope` needs it.

        Raises Refused and Unavailable. May call Dynamic; holds no transaction while it does.
        """
        assertion = self._verifier.verify(raw, door, now)
        may_act(client, None, assertion.environment)  # before Dynamic is asked and anything is remembered
        self._limits.of_user(client.client_id, assertion.environment.environment_id, assertion.user_id)
        identity = identity_of(assertion, self._rules)
        if not identity.complete and not self._profile_scopes.isdisjoint(scope):
            identity = self._completed(raw, assertion, identity, scope, now)
        return Accepted(assertion, identity)

    def recognise(self, tx: Tx, accepted: Accepted, client: Client, grant_type: str, now: int) -> Known:
        """Who signed in, after the gate. Raises Refused."""
        assertion = accepted.assertion
        known = recognition.recognise(
            tx, accepted.identity, assertion, primary_environment=self._primary_environment, now=now
        )
        may_issue(client, known.user, assertion.environment, grant_type)
        if known.ended:
            raise Refused(Reason.SESSION_ENDED)
        if known.user.was_revoked_since(assertion.issued_at):
            raise Refused(Reason.ASSERTION_REVOKED)
        if known.mistaken is not None:
            key, ended_at = known.mistaken
            ending = Ending(Cause.DYNAMIC_SESSION_ENDED, DYNAMIC, now, {"event": "new_session"})
            end_dynamic_session(
                tx, known.user.environment_id, key, user_id=known.user.user_id, ended_at=ended_at, ending=ending
            )
        return known

    def grant(
        self,
        tx: Tx,
        accepted: Accepted,
        *,
        client: Client,
        grant_type: str,
        scope: tuple[str, ...],
        audience: tuple[str, ...],
        once: bool,
        now: int,
    ) -> Grant:
        """What the assertion lets the client do. Nothing minted from it outlives the assertion.

        Raises Refused. With `once`, the assertion is taken last: a refusal for another reason leaves it good.
        """
        assertion = accepted.assertion
        known = self.recognise(tx, accepted, client, grant_type, now)
        if client.consent == "ask" and not consents.covers(tx, known.user.sub, client.client_id, scope):
            raise Refused(SignInReason.CONSENT_REQUIRED)  # threats O10: there is no way round the page
        if once and not seen.take_once(tx, assertion):
            raise Refused(Reason.ASSERTION_REPLAYED)
        grant = Grant(
            client=client,
            user=known.user,
            scope=scope,
            audience=audience,
            sid=client_session(assertion.environment.environment_id, assertion.session_key, client.client_id),
            auth_time=known.auth_time,
            amr=accepted.identity.amr,
            horizon=assertion.expires_at,
            session_ends_at=horizon(assertion),
        )
        if client.backchannel_logout_uri is None or OFFLINE_ACCESS in scope:
            return grant
        # Kept, although it cannot be renewed: the client has to be told when the session ends.
        ground = Ground(assertion.environment.environment_id, assertion.session_key, assertion.issued_at)
        kept = grants.share_grant(tx, grant, ground, expires_at=horizon(assertion), now=now)
        return replace(kept, horizon=assertion.expires_at)

    def _completed(
        self, raw: str, assertion: Assertion, identity: Identity, scope: Collection[str], now: int
    ) -> Identity:
        """The identity with what we remember or else what Dynamic tells; as it is if neither can be had in time.

        Dynamic's hashes vouch for remembered credentials, but not for groups and mapped claims: those are asked for
        anew, and dropped if Dynamic does not tell.
        """
        with self._database.reading() as tx:
            remembered = users.stored_profile(tx, identity)
        if remembered is not None and self._unvouched_scopes.isdisjoint(scope):
            return remembered
        profile = self._asked(raw, assertion, now)
        if profile is not None:
            return identity_with_profile(assertion, profile, self._rules, now)
        if remembered is None:
            return identity
        kept = {name: value for name, value in remembered.claims.items() if name not in self._unvouched_claims}
        own = {name: value for name, value in identity.claims.items() if name in self._unvouched_claims}
        return replace(remembered, claims={**kept, **own})

    def _asked(self, raw: str, assertion: Assertion, now: int) -> Json | None:
        """The profile that Dynamic tells; None if it does not, or lately did not answer anybody."""
        environment_id = assertion.environment.environment_id
        if 0 <= now - self._unanswered_at.get(environment_id, -PAUSE) < PAUSE:
            return None
        try:
            return fetch_profile(raw, assertion, self._fetcher)
        except FetchFailed as failed:
            # Optional claims are dropped rather than the sign-in (threats A24); the reason's page tells what to do.
            log.warning("profile", extra={"reason": Reason.PROFILE_UNAVAILABLE.code, "cause": str(failed)})
            if isinstance(failed, NoAnswer):
                self._unanswered_at[environment_id] = now
            return None
