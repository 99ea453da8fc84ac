"""Who may wait for others. A worker's one event loop may not: nobody would be answered meanwhile.

The loop answers a request at once. Where the answer turns out to need somebody else (Dynamic, a database server), what
is about to wait raises MustWait before it has changed anything, and the request is begun again on a thread that may.
"""

import threading

_thread = threading.local()


class MustWait(BaseException):
    """The answer needs somebody else: to be asked for again on a thread that may wait. No fault, so no Exception."""


def never_on_this_thread() -> None:
    """From now on this thread waits for nobody."""
    _thread.never = True


def may_wait() -> bool:
    """Whether this thread may."""
    return not getattr(_thread, "never", False)


def about_to_wait() -> None:
    """Raises MustWait on a thread that may not. Called before anything is done for the sake of the answer."""
    if getattr(_thread, "never", False):
        raise MustWait
