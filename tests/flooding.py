"""A flood at a server on this machine, from a process of its own: `python flooding.py URL` takes it from stdin.

As JSON: `posts`, the requests to send in turn, each [path, headers, body]; `count` in all; `per_second` at most. Prints
how often each status came.
"""

import json
import sys
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 8


def main(url: str) -> None:
    """Send everything, and tell."""
    flood = json.load(sys.stdin)
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    senders = [Thread(target=_send, args=(url, flood, first, began, statuses)) for first in range(CONNECTIONS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    json.dump({"statuses": statuses, "took": time.monotonic() - began}, sys.stdout)


def _send(url: str, flood: dict[str, Any], first: int, began: float, statuses: Counter[int]) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    for number in range(first, flood["count"], CONNECTIONS):
        time.sleep(max(0.0, began + number / flood["per_second"] - time.monotonic()))  # the pace, and nothing else
        path, headers, body = flood["posts"][number % len(flood["posts"])]
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        except (HTTPException, OSError):
            connection.close()
            statuses[0] += 1


if __name__ == "__main__":
    main(sys.argv[1])
