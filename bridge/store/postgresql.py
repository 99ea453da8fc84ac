"""PostgreSQL, in a way that holds through pgbouncer's transaction pooling too (docs/decisions/0010).

There a connection belongs to us only from BEGIN to COMMIT: nothing may be set for the session, no statement prepared on
the server, no option given at the start. So each transaction brings its limits along, in the round trip of its BEGIN.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, ExceptionContext, create_engine, event

from bridge.store.engines import Access, Driver, NoAnswer
from bridge.store.transaction import Tx

T = TypeVar("T")

CONNECT_TIMEOUT = 3  # seconds
ANSWER_TIMEOUT = 5  # seconds that we wait for any answer
LOCK_TIMEOUT = 3000  # milliseconds, as the rest: the server's own
STATEMENT_TIMEOUT = 4000
IDLE_TIMEOUT = 5000
MIGRATION_WAIT = 60_000  # for another instance that migrates
MIGRATION_LOCK = 0x64_6F_62  # of this program, in any database

_LIMITS = (
    f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT}; SET LOCAL lock_timeout = {LOCK_TIMEOUT}; "
    f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TIMEOUT}"
)
_BEGINS = {
    Access.READ: f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_LIMITS}",
    Access.WRITE: f"BEGIN ISOLATION LEVEL READ COMMITTED; {_LIMITS}",
    Access.FORGETTABLE: f"BEGIN ISOLATION LEVEL READ COMMITTED; {_LIMITS}; SET LOCAL synchronous_commit = off",
    # One instance migrates, the others wait for it. A step may take its time, but not wait for a lock: others would
    # queue up behind it.
    Access.MIGRATE: (
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; "
        "SET LOCAL idle_in_transaction_session_timeout = 0; "
        f"SET LOCAL lock_timeout = {MIGRATION_WAIT}; SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); "
        f"SET LOCAL lock_timeout = {LOCK_TIMEOUT}"
    ),
}


class NoAnswerInTime(psycopg.OperationalError, NoAnswer):
    """A server is frozen, a line is cut, or pgbouncer's queue is too long."""


class _Connection(psycopg.Connection[Any]):
    """A connection that does not wait for ever."""

    answer_timeout: float | None = ANSWER_TIMEOUT

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.answer_timeout if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise  # it is the answer
        self.close()  # the answer may still come, and would be taken for the next statement's
        raise NoAnswerInTime


def driver(url: URL) -> Driver:
    """The driver for a URL of its kind; its transactions bring their limits along."""
    made = create_engine(
        url,
        hide_parameters=True,
        use_native_hstore=False,  # it would ask for the type on every new connection
        pool_size=8,
        max_overflow=36,  # 32 threads that answer, and those that deliver
        pool_timeout=4,
        pool_use_lifo=True,  # so that the server may close the idle ones
        connect_args={
            "autocommit": True,  # the BEGIN is ours
            "prepare_threshold": None,
            "connect_timeout": CONNECT_TIMEOUT,
            "client_encoding": "utf8",
            "fallback_application_name": "oidc-bridge",
        },
    )
    event.listen(made, "do_connect", _connect)
    event.listen(made, "handle_error", _leave_a_demoted_primary)
    return Driver(made, _begin, _is_lost)


def understands(url: URL) -> bool:
    """Whether the driver knows every option of the URL."""
    _, options = url.get_dialect()().create_connect_args(url)
    try:
        make_conninfo(**options)
    except psycopg.ProgrammingError:
        return False
    return True


def _connect(_: object, __: object, arguments: list[Any], options: dict[str, Any]) -> _Connection:
    return _Connection.connect(*arguments, **options)


def _begin(connection: Any, access: Access) -> None:
    connection.answer_timeout = None if access is Access.MIGRATE else ANSWER_TIMEOUT
    connection.execute(_BEGINS[access])


def _is_lost(connection: Any, error: Exception, access: Access) -> bool:
    return _is_demoted(error, access) or bool(connection.closed or connection.broken)


def _leave_a_demoted_primary(context: ExceptionContext) -> None:
    """The same for what goes through SQLAlchemy."""
    if isinstance(context.connection, Tx) and _is_demoted(context.original_exception, context.connection.access):
        context.is_disconnect = True


def _is_demoted(error: BaseException, access: Access) -> bool:
    """After a switch-over the connections to the old primary live on, but can write no more: they are given up."""
    if not isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return False
    if access is Access.READ:
        raise AssertionError("a reading transaction writes")
    return True
