"""The parts of a bridge, the protocol's endpoints apart: each built once, from a configuration."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bridge.clock import Clock, system_clock
from bridge.config.settings import Config
from bridge.delivery.backchannel import BackchannelLogout
from bridge.delivery.carriers import Carrier
from bridge.delivery.deliver import THREADS, Delivery
from bridge.delivery.reread import RereadUser
from bridge.delivery.rest import CloseRest
from bridge.delivery.turns import Turns
from bridge.dynamic.allowance import Allowance
from bridge.dynamic.keys import LoadKeys, key_set, load_keys
from bridge.dynamic.session_check import MOST_WAITING, SessionCheck
from bridge.dynamic.verify import Verifier
from bridge.fetch import Fetcher
from bridge.lifecycle.dynamic_effects import Effects
from bridge.lifecycle.dynamic_events import DynamicEvents
from bridge.lifecycle.liveness import LiveCheck
from bridge.logs import print_audit
from bridge.oauth.account_client import account_client
from bridge.oauth.assertions import Assertions
from bridge.ratelimit import RateLimits
from bridge.store import Database
from bridge.store import keys as stored_keys
from bridge.store.clients import Clients
from bridge.store.outbox import Kind
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer
from bridge.store.telling import Tell, TellingDatabase
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.mint import Mint
from bridge.tokens.pairwise import PairwiseSubjects, new_pairwise_key


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a bridge, each built once. `close` lets go of threads and connections."""

    database: Database
    clients: Clients
    keyring: Keyring
    subjects: PairwiseSubjects
    verifier: Verifier
    selection: ClaimSelection
    mint: Mint
    assertions: Assertions
    live_check: LiveCheck
    limits: RateLimits
    events: DynamicEvents
    close: Callable[[], None]

    def delivery(self, config: Config, clock: Clock = system_clock) -> Delivery:
        """What carries the outbox out: for each kind of message its carrier. It does nothing until it is run."""
        turns = Turns(self.database)
        carriers: dict[Kind, Carrier] = {
            Kind.BACKCHANNEL_LOGOUT: BackchannelLogout(
                clients=self.clients,
                mint=self.mint,
                fetcher=Fetcher(development=config.development, threads=2 * THREADS),  # its own bulkhead
            ),
            Kind.CLOSE_REST: CloseRest(turns),
            Kind.REREAD_USER: RereadUser(self.events),
        }
        return Delivery(turns, carriers, clock)


def assemble(
    config: Config, clock: Clock = system_clock, keys: LoadKeys = load_keys, heard: Tell | None = None
) -> Parts:
    """The parts that a configuration asks for, the protocol's endpoints apart.

    `keys`: where Dynamic's come from; `heard`: who is told of each entry of the audit log, once it is committed.

    Reads our keys from the database, which must have the current schema, and makes those that are missing. Calls
    nobody else. Raises SchemaMismatch, SealBroken and Unavailable.
    """
    with ExitStack() as held:
        database = _database(config, heard)
        held.callback(database.close)
        database.check_schema()
        keyring, subjects = _own_secrets(database, config, clock())

        # A bulkhead for each: profiles never delay keys, and webhooks and live checks delay neither.
        key_fetcher = _fetcher(held, config)
        profile_fetcher = _fetcher(held, config)
        event_fetcher = _fetcher(held, config, threads=8)
        live_fetcher = _fetcher(held, config, threads=MOST_WAITING)
        verifier = _verifier(config, key_fetcher, clock, keys)

        selection = ClaimSelection(config.claims)
        limits = RateLimits(config.limits, sources_known=config.sources_known, workers=config.workers, clock=clock)
        return Parts(
            database=database,
            clients=Clients(database, (*config.clients, account_client(config.issuer))),
            keyring=keyring,
            subjects=subjects,
            verifier=verifier,
            selection=selection,
            mint=Mint(issuer=config.issuer, keyring=keyring, selection=selection, subjects=subjects),
            assertions=Assertions(
                verifier=verifier,
                fetcher=profile_fetcher,
                database=database,
                rules=config.claims,
                profile_scopes=selection.scopes,
                primary_environment=config.primary_environment,
                limits=limits,
            ),
            limits=limits,
            live_check=LiveCheck(
                database, config.environments_by_id, SessionCheck(live_fetcher, Allowance(1 / config.workers))
            ),
            events=dynamic_events(config, database, event_fetcher),
            close=held.pop_all().close,
        )


def dynamic_events(config: Config, database: Database, fetcher: Fetcher) -> DynamicEvents:
    """Whoever takes what happened at Dynamic, by webhook or from the event log."""
    return DynamicEvents(
        database=database,
        fetcher=fetcher,
        environments=config.environments_by_id,
        effects=Effects(config.claims, primary_environment=config.primary_environment),
    )


def _fetcher(held: ExitStack, config: Config, **bulkhead: int) -> Fetcher:
    fetcher = Fetcher(development=config.development, **bulkhead)
    held.callback(fetcher.close)
    return fetcher


def _database(config: Config, heard: Tell | None) -> Database:
    told = [] if heard is None else [heard]
    if config.audit_stdout:
        told.append(lambda entries: print_audit(entry.as_json() for entry in entries))
    return TellingDatabase(config.database_url, told) if told else Database(config.database_url)


def _own_secrets(database: Database, config: Config, now: int) -> tuple[Keyring, PairwiseSubjects]:
    sealer = Sealer(config.secret_keys)
    rotation = Rotation(database, sealer, interval=config.key_rotation)
    rotation.make_missing(now)
    keyring = Keyring(rotation.load, rotation.keep_up, now)
    with database.writing() as tx:
        pairwise_key = stored_keys.secret(tx, "pairwise", sealer, now, make=new_pairwise_key)
    return keyring, PairwiseSubjects(pairwise_key)


def _verifier(config: Config, fetcher: Fetcher, clock: Clock, keys: LoadKeys) -> Verifier:
    return Verifier(
        (
            (environment, key_set(environment, fetcher, clock, keys))
            for environment in config.environments
            if not environment.disabled
        ),
        max_lifetime=config.assertion_max_lifetime,
        skew=config.clock_skew,
    )
