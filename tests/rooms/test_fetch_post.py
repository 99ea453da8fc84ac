"""A form that is posted to another server: within the same limits, and nothing is read of the answer."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fetch import DEADLINE, FAULTS, SLACK, FaultServer, Script, answer, floods, silent

from bridge.errors import FetchFailed, NotCalled
from bridge.fetch import Fetched, Fetcher

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
        assert fetcher.post_form(server.url(), {"logout_token": "eyJ"}, deadline=2).status == 200


def test_the_form_is_sent_as_it_is_and_the_status_returned(fetcher: Fetcher) -> None:
    with closing(FaultServer(answer(b"", "204 No Content"))) as server:
        assert fetcher.post_form(server.url(), {"logout_token": "a.b&c=d"}, deadline=2).status == 204
        (request,) = server.requests
    head, _, body = request.partition("\r\n\r\n")
    assert {"Content-Type: application/x-www-form-urlencoded", "Content-Length: 24"} < set(head.splitlines())
    assert body in ("logout_token=a.b%26c%3Dd", "")  # the server may have read the head alone


DATE = "Date: Tue, 24 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("Retry-After: 120", 120),
        ("retry-after: 0", 0),
        (f"{DATE}\r\nRetry-After: Tue, 24 Nov 2026 10:02:00 GMT", 120),
        (f"{DATE}\r\nRetry-After: Tuesday, 24-Nov-26 10:02:00 GMT", 120),
        (f"{DATE}\r\nRetry-After: Tue, 24 Nov 2026 09:00:00 GMT", 0),
        ("X: y", None),
        ("Retry-After: Tue, 24 Nov 2026 10:02:00 GMT", None),
        (f"{DATE}\r\nRetry-After: Tue, 24 Nov 2026 10:02:00 -0000", None),
        (f"{DATE}\r\nRetry-After: Tue, 99 Nov 99999 10:02:00 GMT", None),
        ("Retry-After: -5", None),
        ("Retry-After: soon", None),
        ("Retry-After: 5, 5", None),
        ("Retry-After: " + "9" * 5000, None),
    ],
)
def test_how_long_a_receiver_wants_to_be_left_alone_is_read_in_both_forms(
    headers: str, seconds: int | None, fetcher: Fetcher
) -> None:
    with closing(FaultServer(answer(b"", "503 Service Unavailable", f"{headers}\r\n"))) as server:
        assert fetcher.post_form(server.url(), {}, deadline=2).retry_after == seconds


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_no_retry_after_breaks_its_reader(said: str, date: str) -> None:
    found = Fetched(503, b"", {"Retry-After": said, "Date": date}).retry_after
    assert found is None or found >= 0


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
