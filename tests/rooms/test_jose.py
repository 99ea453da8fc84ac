"""The strict pre-parse, the header rules, the key filter and the signatures, as strangers would try them."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import import_key

from bridge import jose
from bridge.errors import Refused
from bridge.reasons import Reason

ALGORITHMS = ("RS256", "ES256", "Ed25519")
SIGNERS = {alg: jose.signing_key(alg, jose.generate_signing_key(alg)) for alg in ALGORITHMS}
MANY = settings(max_examples=150, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(header: bytes = b'{"alg":"RS256"}', payload: bytes = b'{"sub":"x"}', signature: bytes = b"four") -> str:
    return ".".join((b64(header), b64(payload), b64(signature)))


def refusal(act: Callable[..., object], *args: Any, **named: Any) -> Reason:
    with pytest.raises(Refused) as refused:
        act(*args, **named)
    return refused.value.reason


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object of that depth in all."""
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


# The pre-parse (threats A11)

TOKEN = SIGNERS["RS256"].sign({"sub": "x", "n": [1, 2.5, None, True, {"ü": "\ud800"}]}, "JWT")


def parsed(raw: str) -> jose.Unverified | None:
    """The token, or None if it was refused as malformed; any other outcome is a failure."""
    try:
        return jose.parse(raw)
    except Refused as refused:
        reason = refused.reason
    assert reason is Reason.ASSERTION_MALFORMED
    return None


PARTS = st.lists(st.binary(), max_size=5).map(lambda parts: ".".join(map(b64, parts)))


@MANY
@given(st.text() | st.text("eyJ0.-_=", max_size=60) | PARTS)
def test_any_text_is_a_token_or_malformed(raw: str) -> None:
    parsed(raw)


@MANY
@given(JSON, JSON)
def test_two_json_values_are_a_token_if_they_are_finite_objects(header: Any, payload: Any) -> None:
    token = parsed(compact(json.dumps(header).encode(), json.dumps(payload).encode()))
    if token is None:
        texts = json.dumps([header, payload])
        assert not (isinstance(header, dict) and isinstance(payload, dict)) or "NaN" in texts or "Infinity" in texts
    else:
        assert (token.header, token.payload) == (header, payload)


@MANY
@given(st.integers(0, len(TOKEN)), st.integers(0, 3), st.text(max_size=3) | st.text("AQgw.=-_+/\n ", max_size=3))
def test_a_mutated_token_is_malformed_or_says_exactly_what_it_spells(at: int, cut: int, put: str) -> None:
    mutated = TOKEN[:at] + put + TOKEN[at + cut :]
    token = parsed(mutated)
    if token is not None:  # no two spellings of one token: what was parsed can only be spelt like this
        assert f"{token.signing_input.decode()}.{b64(token.signature)}" == mutated
        assert token.payload == json.loads(unb64(mutated.split(".")[1]))


SPELLINGS = (
    *("{t}\n", "{t} ", " {t}", '"{t}"', "Bearer {t}", "{t}=", "{h}=.{p}.{s}", "{h}.{p}==.{s}", "{t}\x00", "\ufeff{t}"),
    *("{h}.{p}", "{h}.{p}.", "{t}.", "{t}.AAAA.AAAA", "{h}..{p}.{s}", "{t},{t}", "{h}\n.{p}.{s}", "\uff45.{p}.{s}"),
    *("", ".", "..", "{h}.{p}.a+/=", "{h}.{p}.AAAAA", '{{"protected":"{h}","payload":"{p}","signature":"{s}"}}'),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_a_token_is_malformed(spelling: str) -> None:
    h, p, s = TOKEN.split(".")
    assert refusal(jose.parse, spelling.format(t=TOKEN, h=h, p=p, s=s)) is Reason.ASSERTION_MALFORMED


@pytest.mark.parametrize("part", [0, 1, 2])
def test_spare_bits_make_no_second_spelling(part: int) -> None:
    parts = compact(b'{"alg":"RS256" }', b'{"sub":"xy" }', b"four").split(".")
    honest = unb64(parts[part])
    parts[part] = parts[part][:-1] + chr(ord(parts[part][-1]) + 1)
    assert unb64(parts[part]) == honest

    assert refusal(jose.parse, ".".join(parts)) is Reason.ASSERTION_MALFORMED


NOT_STRICT = {
    "repeated member": b'{"a":1,"a":1}',
    "repeated under another spelling": b'{"a":1,"\\u0061":2}',
    "repeated further in": b'{"a":[{"b":1,"b":2}]}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity": b'{"a":-Infinity}',
    "overflowing float": b'{"a":1e999}',
    "overflowing float below zero": b'{"a":[-1e999]}',
    "integer of 5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "UTF-16": '{"a":1}'.encode("utf-16-le"),
    "UTF-16 with mark": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "broken UTF-8": b'{"a":"\xff"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "raw control character": b'{"a":"\x00"}',
    "list": b'[{"a":1}]',
    "string": b'"a"',
    "number": b"1",
    "null": b"null",
    "nothing": b" ",
    "two values": b'{"a":1}{"a":1}',
    "comment": b'{"a":1}//',
    "trailing comma": b'{"a":1,}',
    "depth 21": nested(21),
    "depth 21 in objects": nested(21, b'{"a":', b"}"),
    "depth 10000": nested(10_000),
    "depth 10000, never closed": b"[" * 10_000,
}


@pytest.mark.parametrize("member", ["header", "payload"])
@pytest.mark.parametrize("value", NOT_STRICT.values(), ids=NOT_STRICT.keys())
def test_what_is_not_strict_json_is_malformed(value: bytes, member: str) -> None:
    assert refusal(jose.parse, compact(**{member: value})) is Reason.ASSERTION_MALFORMED


@pytest.mark.parametrize(
    "value", [b"{}", b' { "a" : 1 }\r\n', nested(20), nested(20, b'{"a":', b"}"), b'{"a":1e308}', b'{"a":"\\ud800"}']
)
def test_strict_json_is_parsed_as_any_json_parser_would(value: bytes) -> None:
    token = jose.parse(compact(value, value))

    assert token.header == token.payload == json.loads(value)


def test_a_token_may_be_32_kb_and_not_a_character_more() -> None:
    frame = compact(payload=b'{"a":"' + b"x" * 24_001 + b'"}', signature=b"")
    largest = frame + "A" * (32 * 1024 - len(frame))
    assert len(jose.parse(largest).payload["a"]) == 24_001

    assert refusal(jose.parse, largest + "A") is Reason.ASSERTION_MALFORMED
    assert refusal(jose.parse, compact(payload=b'{"a":"' + b"x" * 5_000_000 + b'"}')) is Reason.ASSERTION_MALFORMED


# The header (threats A1 to A3, A14)

GOOD_HEADER = {"alg": "RS256", "typ": "JWT", "kid": "key-1"}


@pytest.mark.parametrize("typ", ["JWT", "jwt", "Jwt"])
def test_a_plain_header_names_its_key(typ: str) -> None:
    assert jose.check_header({**GOOD_HEADER, "typ": typ}, alg="RS256") == "key-1"
    assert jose.check_header({"alg": "RS256", "kid": "key-1"}, alg="RS256") == "key-1"


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "", "HS256", "RS512", "PS256", "ES256", "rs256", "RS256 ", None, 256, ["RS256"], {}]
)
def test_only_the_expected_algorithm_is_let_through_and_it_is_asked_first(alg: object) -> None:
    hopeless = {**GOOD_HEADER, "kid": 7, "jwk": {}, "typ": "x"}
    assert refusal(jose.check_header, {**hopeless, "alg": alg}, alg="RS256") is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "enc", "zip", "epk"])
@pytest.mark.parametrize("value", ["https://evil.example/k", {"kty": "RSA"}, [], None, False])
def test_a_header_that_brings_a_key_or_a_rule_is_refused(name: str, value: object) -> None:
    assert refusal(jose.check_header, {**GOOD_HEADER, name: value}, alg="RS256") is Reason.HEADER_NOT_ALLOWED


@pytest.mark.parametrize(
    "typ", ["at+jwt", "logout+jwt", "dpop+jwt", "oauth-id-jag+jwt", "JWE", "", "JWT\n", " JWT", None, 1, ["JWT"], {}]
)
def test_a_token_of_another_type_is_refused(typ: object) -> None:
    assert refusal(jose.check_header, {**GOOD_HEADER, "typ": typ}, alg="RS256") is Reason.HEADER_NOT_ALLOWED


@pytest.mark.parametrize(
    "kid", ["a", "a" * 128, "6f0c2d1e-8a47-4b7e-9d55-0b1f3e2a9c10", "A.b_c~d=9", "..", "__proto__"]
)
def test_a_short_plain_string_is_a_key_id(kid: str) -> None:
    assert jose.key_id({"kid": kid}) == kid


HOSTILE_IDS = (
    *("", "a" * 129, "a" * 10_000, "../../etc/passwd", "/dev/stdin", "' OR '1'='1", "https://evil.example/k", "a b"),
    *("a\n", "\na", "a\x00b", "a\r\nSet-Cookie: x", "é", "\u0660", "\ud800", "k%00", "a;b", "$(id)", "{{7*7}}"),
    *(None, 1, 0, True, 1.5, [], ["a"], {"a": 1}),
)


@pytest.mark.parametrize("kid", HOSTILE_IDS, ids=lambda kid: ascii(kid)[:24])
def test_any_other_key_id_is_refused(kid: object) -> None:
    assert refusal(jose.check_header, {**GOOD_HEADER, "kid": kid}, alg="RS256") is Reason.HEADER_NOT_ALLOWED


def test_a_header_must_name_its_algorithm_and_its_key() -> None:
    assert refusal(jose.check_header, {"kid": "key-1"}, alg="RS256") is Reason.ALGORITHM_NOT_ALLOWED
    assert refusal(jose.check_header, {"alg": "RS256"}, alg="RS256") is Reason.HEADER_NOT_ALLOWED


# Signatures: what we sign others accept, what others sign we accept, and nothing else


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_we_sign_another_library_accepts(alg: str) -> None:
    signer = SIGNERS[alg]
    claims = {"sub": "ü\u2028", "n": [1, None, {}]}

    decoded = jwt.decode(signer.sign(claims, "at+jwt"), import_key(dict(signer.public_jwk)), algorithms=[alg])

    assert decoded.claims == claims
    assert decoded.header == {"alg": alg, "kid": signer.kid, "typ": "at+jwt"}


@pytest.mark.parametrize(("alg", "kind"), [("RS256", "RSA"), ("ES256", "EC"), ("Ed25519", "OKP")])
def test_what_another_library_signs_we_accept(alg: Any, kind: Any) -> None:
    pem = jose.generate_signing_key(alg)
    theirs = jws.serialize_compact({"alg": alg}, b'{"sub":"x"}', import_key(pem, kind), algorithms=[alg])

    assert jose.signing_key(alg, pem).verification.verifies(jose.parse(theirs))


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("length", [1, 32, 63, 64, 65, 255, 256, 257, 4000])
@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_a_made_up_signature_of_any_length_fits_no_key(alg: str, length: int, byte: int) -> None:
    forged = jose.parse(compact(signature=bytes([byte]) * length))

    assert SIGNERS[alg].verification.verifies(forged) is False


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_fits_its_own_content_and_key_only(alg: str) -> None:
    head, payload, signature = SIGNERS[alg].sign({"sub": "x"}, "JWT").split(".")
    altered = b64(b'{"sub":"y"}')
    genuine = jose.parse(f"{head}.{payload}.{signature}")
    other_key = jose.signing_key(alg, jose.generate_signing_key(alg))

    assert SIGNERS[alg].verification.verifies(genuine)
    assert not other_key.verification.verifies(genuine)
    assert not SIGNERS[alg].verification.verifies(jose.parse(f"{head}.{altered}.{signature}"))
    assert [name for name in ALGORITHMS if SIGNERS[name].verification.verifies(genuine)] == [alg]


def test_a_digest_is_of_the_signed_part_alone() -> None:
    one, two = (jose.parse(compact(signature=signature)) for signature in (b"one", b"two"))

    assert one.digest == two.digest
    assert one.digest != jose.parse(compact(payload=b'{"sub":"y"}', signature=b"one")).digest


def test_numbers_that_json_lacks_are_never_signed() -> None:
    with pytest.raises(ValueError, match="JSON"):
        SIGNERS["ES256"].sign({"a": float("nan")}, "JWT")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_keys_and_claims_stay_out_of_reprs(alg: str) -> None:
    pem = jose.generate_signing_key(alg)
    signer = jose.signing_key(alg, pem)
    token = signer.sign({"email": "demo@example.com"}, "JWT")

    shown = repr(signer) + repr(signer.verification) + repr(jose.parse(token))
    assert not [name for name in (" key=", "payload=", "signature=", "signing_input=") if name in shown]
    assert "demo@example.com" not in shown
    assert "d" not in signer.public_jwk


def test_the_signature_of_es256_has_one_length_and_so_one_spelling() -> None:
    genuine = jose.parse(SIGNERS["ES256"].sign({"sub": "s"}, "JWT"))
    r, s = genuine.signature[:32], genuine.signature[32:]
    key = SIGNERS["ES256"].verification
    assert key.verifies(genuine)
    for signature in (
        r + b"\0" + s,
        r + s + b"\0",
        r + s[:-1],
        r,
        b"",
        encode_dss_signature(*map(int.from_bytes, (r, s))),
    ):
        assert not key.verifies(replace(genuine, signature=signature))
