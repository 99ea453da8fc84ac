"""A wallet that signs in: its key, the message of EIP-4361, and the call of Dynamic's SDK that carries both."""

from dataclasses import dataclass, field
from typing import Any

import coincurve
from sdk_page import ORIGIN, Page

from bridge.emulator import DEMO_ENVIRONMENT_ID
from bridge.emulator.ethereum import checksummed, keccak256

STATEMENT = "Welcome to Café. Signing is the only way we can truly know that you are the owner of the wallet."


class Wallet:
    """A key, its address, and what a wallet does with it at `personal_sign`."""

    def __init__(self, secret: bytes | None = None) -> None:
        self.key = coincurve.PrivateKey(secret)
        self.address = checksummed(keccak256(self.key.public_key.format(compressed=False)[1:])[-20:].hex())

    def sign(self, text: str, *, offset: int = 27) -> str:
        data = text.encode("utf-8", "surrogatepass")
        digest = keccak256(b"\x19Ethereum Signed Message:\n%d" % len(data) + data)
        raw = self.key.sign_recoverable(digest, hasher=None)
        return f"0x{raw[:64].hex()}{raw[64] + offset:02x}"


@dataclass(frozen=True)
class Message:
    """What the SDK has the wallet sign, part by part."""

    address: str
    nonce: str
    domain: str = "localhost:3210"
    statement: str = f"\n{STATEMENT}\n"
    uri: str = f"{ORIGIN}/"
    version: str = "1"
    chain_id: str = "1"
    issued_at: str = "2027-01-15T08:00:00.000Z"
    more: tuple[str, ...] = (f"Request ID: {DEMO_ENVIRONMENT_ID}",)

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.domain} wants you to sign in with your Ethereum account:",
                self.address,
                self.statement,
                f"URI: {self.uri}",
                f"Version: {self.version}",
                f"Chain ID: {self.chain_id}",
                f"Nonce: {self.nonce}",
                f"Issued At: {self.issued_at}",
                *self.more,
            )
        )


@dataclass
class Signing:
    """A sign-in by wallet that a test spoils before it is sent."""

    page: Page
    wallet: Wallet = field(default_factory=Wallet)

    def body(self, message: Message | str, **changed: Any) -> dict[str, Any]:
        return {
            "chain": "EVM",
            "messageToSign": str(message),
            "signedMessage": self.wallet.sign(str(message)),
            "publicWalletAddress": self.wallet.address,
            "walletName": "metamaskevm",
            "walletProvider": "browserExtension",
            "network": "1",
            "additionalWalletAddresses": [],
            **changed,
        }

    def message(self) -> Message:
        return Message(self.wallet.address, self.page.nonce())

    def send(self, message: Message | str | None = None, path: str = "/wallets/signin", **more: Any) -> Any:
        how = {name: more.pop(name) for name in ("token", "headers") if name in more}
        return self.page.call("POST", path, json=self.body(message or self.message(), **more), **how)
