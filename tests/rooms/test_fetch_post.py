"""A form that is posted to another server: within the same limits, and nothing is read of the answer."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from test_fetch import DEADLINE, FAULTS, SLACK, FaultServer, Script, answer, floods, silent

from bridge.errors import FetchFailed, NotCalled
from bridge.fetch import Fetcher

BODY_FAULTS = {name for name in FAULTS if "body" in name or "chunk" in name or "gzip" in name or "encodings" in name}
LARGE = {"one byte too many", *BODY_FAULTS}


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with closing(Fetcher(development=True, threads=1)) as made:
        yield made


@pytest.mark.parametrize("script", [FAULTS[name] for name in FAULTS if name not in LARGE])
def test_a_faulty_receiver_costs_one_deadline(script: Script, fetcher: Fetcher) -> None:
    with closing(FaultServer(script)) as faulty:
        began = time.monotonic()
        with pytest.raises(FetchFailed) as failed:
            fetcher.post_form(faulty.url(), {"logout_token": "eyJ"}, deadline=DEADLINE)
        assert time.monotonic() - began < DEADLINE + SLACK
        assert "secret" not in str(failed.value)
        assert faulty.accepted <= 1


@pytest.mark.parametrize("script", [FAULTS[name] for name in sorted(LARGE)])
def test_whatever_follows_the_head_of_an_answer_is_not_waited_for(script: Script, fetcher: Fetcher) -> None:
    with closing(FaultServer(script)) as server:
        assert fetcher.post_form(server.url(), {"logout_token": "eyJ"}, deadline=2) == 200


def test_the_form_is_sent_as_it_is_and_the_status_returned(fetcher: Fetcher) -> None:
    with closing(FaultServer(answer(b"", "204 No Content"))) as server:
        assert fetcher.post_form(server.url(), {"logout_token": "a.b&c=d"}, deadline=2) == 204
        (request,) = server.requests
    head, _, body = request.partition("\r\n\r\n")
    assert {"Content-Type: application/x-www-form-urlencoded", "Content-Length: 24"} < set(head.splitlines())
    assert body in ("logout_token=a.b%26c%3Dd", "")  # the server may have read the head alone


def test_a_full_bulkhead_is_nobodys_fault(fetcher: Fetcher) -> None:
    with closing(FaultServer(silent)) as server:
        for failure in (FetchFailed, NotCalled):
            with pytest.raises(failure):
                fetcher.post_form(server.url(), {}, deadline=DEADLINE)
            if failure is FetchFailed:
                fetcher._free.acquire(timeout=2)


def test_a_fetcher_that_was_closed_calls_nobody(fetcher: Fetcher) -> None:
    fetcher.close()
    with closing(FaultServer(floods(b"", b""))) as server, pytest.raises(NotCalled):
        fetcher.post_form(server.url(), {}, deadline=1)
