"""Old claims of the large token that repeat what newer ones say."""

from collections.abc import Mapping

from bridge.emulator.model import Credential, User

# `info.chain` names a chain by Dynamic's own word, credentials by its namespace.
CHAIN_WORDS: Mapping[str, str] = {"eip155": "EVM", "solana": "SOL", "bip122": "BTC", "starknet": "STARK"}


def legacy_claims(user: User, environment_id: str) -> dict[str, object]:
    """`blockchain_accounts`, `verified_account`, `last_authenticated_account_id` and `info`."""
    wallets = [credential for credential in user.credentials if credential.format == "blockchain"]
    claims: dict[str, object] = {
        "blockchain_accounts": [_account(wallet) for wallet in wallets],
        "info": _info(user, environment_id, wallets),
    }
    if wallets:
        claims["verified_account"] = _account(wallets[-1])
        claims["last_authenticated_account_id"] = wallets[-1].id
    return claims


def _account(wallet: Credential) -> dict[str, object]:
    names = ("address", "chain", "name_service", "wallet_name", "wallet_provider")
    return {"id": wallet.id, **{name: wallet.members[name] for name in names if name in wallet.members}}


def _info(user: User, environment_id: str, wallets: list[Credential]) -> dict[str, object]:
    members: dict[str, object] = {
        "userId": user.id,
        "environmentId": environment_id,
        "alias": user.alias,
        "email": user.email,
        "username": user.username,
        "firstName": user.given_name,
        "lastName": user.family_name,
        "jobTitle": user.job_title,
        "phoneNumber": user.phone_number,
        "tShirtSize": user.t_shirt_size,
        "lists": list(user.lists),
    }
    if wallets:
        chain = str(wallets[-1].members.get("chain"))
        members["chain"] = CHAIN_WORDS.get(chain, chain.upper())
        members["wallet"] = wallets[-1].members.get("wallet_name")
        members["walletPublicKey"] = wallets[-1].members.get("address")
    return {name: value for name, value in members.items() if value is not None}
