"""What we remember. The only door to SQLAlchemy; rows never leave this room, values of bridge.model do.

    with database.writing() as tx:            one transaction per request, nothing slow inside it
        user = recognition.recognise(tx, …)         a verb of the domain, not of the table

A verb that must happen once is one statement whose row count is the answer. `database` opens transactions and turns
every failure of the database into Unavailable; `seal` keeps secrets sealed; `tables` is the schema, `migrations/` its
history.
"""

from bridge.store.database import Database, Tx

__all__ = ["Database", "Tx"]
