"""The peer: npm's oidc-provider, which has to do the same job on the same machine (bench/peers)."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from bench import BenchFailed
from bench.stage import APP_ORIGIN, START_TIMEOUT, BenchClient, Stage, end, environment, free_port
from bridge.emulator import RunningEmulator
from bridge.store.clients import new_secret

PEERS = Path(__file__).parent / "peers"


def is_installed() -> bool:
    """Whether Node and the peer are here (`npm ci` in bench/peers brings it)."""
    return shutil.which("node") is not None and (PEERS / "node_modules" / "oidc-provider").is_dir()


@contextmanager
def peer_staged(dynamic: RunningEmulator) -> Iterator[Stage]:
    """The peer with its own database and keys, ready."""
    clients = [BenchClient(f"bench-{alg.lower()}", alg, new_secret()) for alg in ("RS256", "ES256")]
    with tempfile.TemporaryDirectory(prefix="oidc-bridge-bench-") as name:
        port = free_port()
        server = subprocess.Popen(
            ["node", str(PEERS / "server.mjs"), str(port), name],
            cwd=PEERS,
            env={**environment(dynamic), "NODE_ENV": "production"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert server.stdin is not None
            assert server.stderr is not None
            server.stdin.write(json.dumps(_settings(dynamic, clients)).encode())
            server.stdin.close()
            give_up_at = time.monotonic() + START_TIMEOUT
            while b"ready" not in (line := server.stderr.readline()):
                if server.poll() is not None or time.monotonic() > give_up_at:
                    raise BenchFailed(f"The peer did not start: {line!r}")
            yield Stage(port, server.pid, dynamic, *clients, is_peer=True)
        finally:
            end(server)


def _settings(dynamic: RunningEmulator, clients: list[BenchClient]) -> dict[str, object]:
    rsa_key = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    ec_key = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
    keys = [
        {**rsa_key.as_dict(private=True), "alg": "RS256", "use": "sig", "kid": "rsa"},
        {**ec_key.as_dict(private=True), "alg": "ES256", "use": "sig", "kid": "ec"},
    ]
    world = dynamic.emulator
    return {
        "jwks": {"keys": keys},
        "clients": [{"client_id": c.client_id, "client_secret": c.secret, "alg": c.alg} for c in clients],
        "assertion_key": world.public_pem("spki"),
        "assertion_issuer": f"app.dynamicauth.com/{world.environment_id}",
        "assertion_audience": APP_ORIGIN,
    }
