"""Identifiers that follow from what they identify: computable by anybody who knows the inputs, in any order."""

import hashlib
from base64 import urlsafe_b64encode
from uuid import UUID, uuid5


def subject(environment_id: str, user_id: str, *, primary_environment: str) -> str:
    """The sub of a Dynamic user: their id in the primary environment, else UUIDv5(environment, id).

    The ids of the primary environment are the ones that apps without a bridge have stored; two environments cannot
    meet in one sub.
    """
    if environment_id == primary_environment:
        return user_id
    return str(uuid5(UUID(environment_id), user_id))


def client_session(environment_id: str, session_key: str, client_id: str) -> str:
    """The sid that one client sees of a Dynamic session.

    The same for every exchange of that session, another one for every client, and it tells neither of the other nor
    of Dynamic's own sid, which is random.
    """
    material = f"{environment_id}\n{session_key}\n{client_id}".encode()
    return urlsafe_b64encode(hashlib.sha256(material).digest()[:24]).decode("ascii")
