"""The command `oidc-bridge`, as an operator uses it."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import OFFLINE, Bridge
from served import Command, command_for

from bridge.emulator import RunningEmulator
from bridge.model import GRANT_TYPES
from bridge.store.seal import is_secret_key

ORIGIN = "http://localhost:3000"


def environ_of(bridge: Bridge) -> dict[str, str]:
    """The variables that a running test bridge was configured by."""
    return {
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": bridge.config.issuer,
        "BRIDGE_SECRET_KEYS": ",".join(bridge.config.secret_keys),
        "DYNAMIC_ENVIRONMENT_ID": bridge.config.environments[0].environment_id,
    }


@pytest.fixture
def command(tmp_path: Path, dynamic: RunningEmulator) -> Command:
    return command_for(tmp_path, dynamic)


@pytest.fixture
def initialised(command: Command, dynamic: RunningEmulator) -> Command:
    made = command("init", "--environment-id", dynamic.emulator.environment_id)
    assert made.returncode == 0, made.stderr
    return command


def test_init_writes_secrets_for_its_owner_alone_and_prints_what_nextauth_needs(
    command: Command, dynamic: RunningEmulator
) -> None:
    made = command("init", "--environment-id", dynamic.emulator.environment_id.upper(), "--client-id", "web")
    printed = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert printed.keys() == {"AUTH_DYNAMIC_ISSUER", "AUTH_DYNAMIC_ID", "AUTH_DYNAMIC_SECRET"}
    assert (printed["AUTH_DYNAMIC_ISSUER"], printed["AUTH_DYNAMIC_ID"]) == ("http://localhost:8080", "web")
    for name in ("bridge.env", "bridge.db"):
        assert stat.S_IMODE((command.folder / name).stat().st_mode) == 0o600
    assert printed["AUTH_DYNAMIC_SECRET"] not in (command.folder / "bridge.env").read_text()
    assert command("check").returncode == 0


def test_init_registers_a_client_that_works_for_nextauth(command: Command, dynamic: RunningEmulator) -> None:
    origins = ("--origin", ORIGIN, "--origin", "https://app.example.com")
    made = command("init", "--environment-id", dynamic.emulator.environment_id, *origins)
    assert made.returncode == 0, made.stderr
    registered = json.loads(command("client", "show", "nextauth", "--json").stdout)
    assert [GRANT_TYPES[name] for name in ("authorization_code", "token-exchange", "refresh_token")] == registered[
        "grants"
    ]
    assert registered["scopes"] == ["openid", "profile", "email", "wallets", "offline_access"]
    assert registered["redirect_uris"] == [
        f"{ORIGIN}/api/auth/callback/dynamic",
        "https://app.example.com/api/auth/callback/dynamic",
    ]
    assert registered["post_logout_redirect_uris"] == [
        f"{ORIGIN}/",
        f"{ORIGIN}/signin/out",
        "https://app.example.com/",
        "https://app.example.com/signin/out",
    ]
    assert registered["signin_url"] == f"{ORIGIN}/signin"
    assert registered["assertion_origins"] == [ORIGIN, "https://app.example.com"]
    assert (registered["consent"], registered["public"], registered["require_pkce"]) == ("skip", False, True)
    for setting in ("redirect_uris", "post_logout_redirect_uris", "assertion_origins", "scopes"):
        assert " ".join(registered[setting]) in made.stderr
    assert "authorization_code token-exchange refresh_token" in made.stderr
    assert f"{ORIGIN}/signin" in made.stderr


def test_init_registers_other_pages_when_they_are_named(command: Command, dynamic: RunningEmulator) -> None:
    words = ("--redirect-uri", f"{ORIGIN}/callback", "--signin-url", "https://app.example.com/login")
    assert command("init", "--environment-id", dynamic.emulator.environment_id, *words).returncode == 0
    registered = json.loads(command("client", "show", "nextauth", "--json").stdout)
    assert registered["redirect_uris"] == [f"{ORIGIN}/callback"]
    assert registered["signin_url"] == "https://app.example.com/login"


def test_init_leaves_the_sign_in_page_to_the_setting_that_names_one(command: Command, dynamic: RunningEmulator) -> None:
    with_page = Command(command.folder, {**command.environ, "BRIDGE_SIGNIN_URL": dynamic.signin_url})
    made = with_page("init", "--environment-id", dynamic.emulator.environment_id)
    assert f"{dynamic.signin_url} (BRIDGE_SIGNIN_URL)" in made.stderr
    assert json.loads(with_page("client", "show", "nextauth", "--json").stdout)["signin_url"] is None


def test_init_takes_the_environment_id_of_a_nextauth_project(command: Command, dynamic: RunningEmulator) -> None:
    project = command.folder / ".env.local"
    project.write_text(f"NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID={dynamic.emulator.environment_id}\nOTHER=1\n")
    assert command("init", "--env-file", ".env.local").returncode == 0
    assert dynamic.emulator.environment_id in (command.folder / "bridge.env").read_text()


def test_init_asks_for_the_environment_id(command: Command, dynamic: RunningEmulator) -> None:
    made = command("init", stdin=f"{dynamic.emulator.environment_id}\n")
    assert made.returncode == 0
    assert "environment id" in made.stderr


def test_init_overwrites_nothing_and_leaves_nothing_behind_when_it_fails(
    initialised: Command, dynamic: RunningEmulator
) -> None:
    env_file = initialised.folder / "bridge.env"
    before = env_file.read_bytes()
    again = initialised("init", "--environment-id", dynamic.emulator.environment_id)
    assert again.returncode == 1
    assert env_file.read_bytes() == before
    env_file.unlink()
    taken = initialised("init", "--environment-id", dynamic.emulator.environment_id)
    assert taken.returncode == 1  # the database was sealed under the first file's keys
    assert not env_file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("init", "--environment-id", "not-a-uuid"),
        ("init", "--environment-id", "de300000-0000-4000-8000-000000000001", "--issuer", "http://id.example.com"),
        ("init", "--environment-id", "de300000-0000-4000-8000-000000000001", "--issuer", "https://id.example.com"),
        ("init", "--environment-id", "de300000-0000-4000-8000-000000000001", "--client-id", "a b"),
        ("init", "--environment-id", "de300000-0000-4000-8000-000000000001", "--origin", "*"),
        (
            "init",
            "--environment-id",
            "de300000-0000-4000-8000-000000000001",
            "--redirect-uri",
            "http://app.example.com/",
        ),
        ("init", "--environment-id", "de300000-0000-4000-8000-000000000001", "--signin-url", "/signin"),
    ],
)
def test_init_with_bad_input_says_so_and_writes_nothing(command: Command, words: tuple[str, ...]) -> None:
    made = command(*words)
    assert made.returncode == 1
    assert "Nothing was written" in made.stderr
    assert list(command.folder.iterdir()) == []


def test_a_new_key_can_be_had_alone(command: Command) -> None:
    assert is_secret_key(command("init", "--only-keys").stdout.strip())


def test_check_reports_every_fault_at_once(command: Command) -> None:
    checked = Command(command.folder, {"BRIDGE_ISSUER": "http://id.example.com/", "BRIDGE_SECRET_KEYS": "x"})("check")
    assert checked.returncode == 1
    for setting in ("BRIDGE_ISSUER", "BRIDGE_SECRET_KEYS", "DYNAMIC_ENVIRONMENT_ID"):
        assert setting in checked.stderr
    assert checked.stdout == ""


def test_the_server_refuses_to_start_on_an_unsafe_configuration(command: Command) -> None:
    served = Command(command.folder, {"BRIDGE_ISSUER": "http://id.example.com"})("serve")
    assert served.returncode == 1
    assert "BRIDGE_ISSUER" in served.stderr


def test_the_server_refuses_to_start_with_other_secret_keys(initialised: Command) -> None:
    other = initialised("init", "--only-keys").stdout.strip()
    served = Command(initialised.folder, {**initialised.environ, "BRIDGE_SECRET_KEYS": other})("serve")
    assert served.returncode == 1
    assert "other BRIDGE_SECRET_KEYS" in served.stderr


def test_check_sees_an_env_file_that_others_may_read(initialised: Command) -> None:
    (initialised.folder / "bridge.env").chmod(0o644)
    checked = initialised("check")
    assert checked.returncode == 1
    assert "chmod 600 bridge.env" in checked.stderr


def test_check_live_says_what_will_and_will_not_work(initialised: Command, dynamic: RunningEmulator) -> None:
    fine = initialised("check", "--live")
    assert fine.returncode == 0
    assert "1 signing key" in fine.stdout
    assert "tokens live 7200 s" in fine.stdout
    assert "any web page" in fine.stdout
    dynamic.emulator.switch(
        cookie_mode=True, captcha_enabled=True, mfa_required=True, allowed_origins=("https://other.example",)
    )
    limited = initialised("check", "--live")
    assert limited.returncode == 1
    for word in ("cookie mode", "captcha", "multi-factor", f"{ORIGIN}, which a client lists, is no allowed origin"):
        assert word in limited.stdout
    dynamic.emulator.switch(environment_locked=True, jwt_duration_minutes=30 * 24 * 60, allowed_origins=(ORIGIN,))
    short = Command(initialised.folder, {**initialised.environ, "BRIDGE_ASSERTION_MAX_LIFETIME": "7200"})
    locked = short("check", "--live")
    assert "longer than the 7200 s accepted here" in locked.stdout
    assert "locked" in locked.stdout
    dynamic.emulator.faults.set("/sdk", "down")
    assert "no signing keys" in initialised("check", "--live").stdout


def test_check_live_says_what_people_would_see_on_the_bridges_own_page(
    initialised: Command, dynamic: RunningEmulator
) -> None:
    folder = initialised.folder / "page"
    folder.mkdir()
    for name in ("page-ABCD1234.js", "style-EFGH5678.css"):
        (folder / name).write_text("x")
    (folder / "manifest.json").write_text('{"script": "page-ABCD1234.js", "style": "style-EFGH5678.css"}')
    command = Command(initialised.folder, {**initialised.environ, "BRIDGE_LOGIN_PAGE": str(folder)})
    fine = command("check", "--live")
    assert fine.returncode == 0, fine.stderr
    assert "built from other sources" in fine.stdout
    assert "our own sign-in page offers: e-mail, wallets, github, google" in fine.stdout
    assert "/signin\n    → It has to be among the social redirect URLs" in fine.stdout
    dynamic.emulator.switch(cookie_mode=True, captcha_enabled=True, allowed_origins=(ORIGIN,))
    wrong = command("check", "--live")
    assert wrong.returncode == 1
    for words in ("gets no token in cookie mode", "shows no captcha", "people see “Sign-in does not answer”"):
        assert words in wrong.stdout
    with_page_elsewhere = Command(command.folder, {**command.environ, "BRIDGE_SIGNIN_URL": f"{ORIGIN}/signin"})
    assert "our own sign-in page" not in with_page_elsewhere("check", "--live").stdout


def test_building_the_sign_in_page_without_node_names_both_ways_to_have_it(initialised: Command) -> None:
    without = Command(initialised.folder, {**initialised.environ, "PATH": str(initialised.folder)})
    told = without("login-page", "build", "--to", str(initialised.folder / "page"))
    assert told.returncode == 1
    assert "Node.js 20 or newer" in told.stderr
    assert 'pip install "dynamic-oidc-bridge[login-page]"' in told.stderr
    assert not (initialised.folder / "page").exists()


def test_a_client_lives_through_the_command_line(initialised: Command) -> None:
    added = initialised("client", "add", "api", "--grant", "client_credentials", "--scope", "read", "--name", "API")
    assert added.returncode == 0
    assert added.stdout.startswith("dob_secret_")
    assert initialised("client", "add", "api").returncode == 1
    assert initialised("client", "update", "api", "--scope", "read", "--scope", "write").returncode == 0
    shown = json.loads(initialised("client", "show", "api", "--json").stdout)
    assert (shown["scopes"], shown["grants"], shown["secrets"]) == (["read", "write"], ["client_credentials"], 1)
    assert added.stdout.strip() not in str(shown)
    assert initialised("client", "disable", "api").returncode == 0
    rotated = initialised("client", "rotate-secret", "api")
    assert rotated.stdout != added.stdout
    listed = {c["client_id"]: c for c in json.loads(initialised("client", "list", "--json").stdout)}
    assert listed["api"]["disabled"] is True
    assert listed["api"]["secrets"] == 2
    assert initialised("client", "enable", "api").returncode == 0
    assert initialised("client", "show", "none").returncode == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("add", "de300000-0000-4000-8000-00000000000a"), "client_id"),
        (("add", "x", "--cors-origin", "null"), "cors_origins"),
        (("add", "x", "--assertion-origin", "https://a.example/path"), "assertion_origins"),
        (("add", "x", "--public", "--grant", "client_credentials"), "grants"),
        (("add", "x", "--access-token-ttl", "5"), "access_token_ttl"),
        (("add", "x", "--environment", "de300000-0000-4000-8000-00000000000b"), "environments"),
        (("update", "nextauth", "--scope", "a b"), "scopes"),
    ],
)
def test_a_faulty_client_is_refused_with_the_setting(initialised: Command, words: tuple[str, ...], named: str) -> None:
    refused = initialised("client", *words)
    assert refused.returncode == 1
    assert named in refused.stderr


def test_a_client_of_bridge_toml_is_changed_there(initialised: Command) -> None:
    new = dict(line.split(" = ") for line in initialised("client", "new-secret").stdout.splitlines())
    (initialised.folder / "bridge.toml").write_text(
        f'[[clients]]\nclient_id = "declared"\nsecret_sha256 = ["{new["secret_sha256"]}"]\n'
    )
    assert "bridge.toml" in initialised("client", "list").stdout
    for words in (("update", "declared", "--name", "x"), ("disable", "declared"), ("add", "declared")):
        refused = initialised("client", *words)
        assert refused.returncode == 1
        assert "bridge.toml" in refused.stderr
    (initialised.folder / "bridge.toml").write_text(
        f'[[clients]]\nclient_id = "nextauth"\nsecret_sha256 = ["{new["secret_sha256"]}"]\n'
    )
    assert "in bridge.toml and in the database" in initialised("check").stderr


def test_explain_shows_each_check_and_the_claims(initialised: Command, dynamic: RunningEmulator) -> None:
    emulator = dynamic.emulator
    user = emulator.create_user(email="demo@example.com")
    good = emulator.mint(user, origin=ORIGIN)
    explained = initialised("explain", "--client", "nextauth", stdin=good)
    assert explained.returncode == 0, explained.stderr
    assert '"email": "demo@example.com"' in explained.stdout
    assert user.id in explained.stdout
    assert "eyJ" not in explained.stdout
    foreign = initialised("explain", "--client", "nextauth", stdin=emulator.mint(user, origin="https://evil.example"))
    assert foreign.returncode == 1
    assert "audience: audience_not_listed" in foreign.stdout
    assert "--assertion-origin" in foreign.stdout
    emulator.clear_requests()
    offline = initialised("explain", "--client", "nextauth", "--offline", "--scope", "openid", stdin=good)
    assert offline.returncode == 0
    assert "signature: not checked" in offline.stdout
    assert '"email": "demo@example.com"' not in offline.stdout
    assert emulator.requests == []
    (initialised.folder / "jwks.json").write_text(json.dumps(emulator.jwks()))
    by_file = initialised("explain", "--client", "nextauth", "--offline", "--jwks", "jwks.json", stdin=good)
    assert "✓ signature" in by_file.stdout
    assert initialised("explain", "--client", "nextauth", stdin="junk").returncode == 1
    assert initialised("explain", "--client", "nobody", stdin=good).returncode == 1


def test_probe_answers_the_open_questions_without_telling_personal_data(
    initialised: Command, dynamic: RunningEmulator
) -> None:
    emulator = dynamic.emulator
    session = emulator.sign_in(emulator.create_user(email="demo@example.com").id, origin=ORIGIN)
    tokens = [emulator.mint(session, shape=shape) for shape in ("large", "small")]
    with_token = Command(initialised.folder, {**initialised.environ, "DYNAMIC_API_TOKEN": emulator.api_token})
    probed = with_token("dynamic", "probe", stdin="\n".join(tokens))
    assert probed.returncode == 0, probed.stderr
    for answer in ("token 1: which shape?", "large", "small", "do both tokens have one sid?", "status 204"):
        assert answer in probed.stdout
    assert "does the kid equal the id at /keys?              yes" in probed.stdout
    assert "demo@example.com" not in probed.stdout
    assert "eyJ" not in probed.stdout
    emulator.switch(small_token_same_issuer=False, kid_equals_keys_endpoint_id=False, sdk_requires_origin=True)
    tokens = [emulator.mint(session, shape=shape) for shape in ("large", "small")]
    changed = with_token("dynamic", "probe", stdin="\n".join(tokens)).stdout
    assert "does the kid equal the id at /keys?              no" in changed
    assert "do both tokens have one iss?                     no" in changed
    assert "status 403" in changed
    assert initialised("dynamic", "probe", stdin="junk").returncode == 0


def test_sweep_and_db_upgrade_can_be_run_at_any_time(initialised: Command) -> None:
    assert initialised("db", "upgrade").returncode == 0
    assert "seen_assertions" in initialised("sweep").stdout


def test_reasons_explains_a_code(command: Command) -> None:
    assert "multi-factor" in command("reasons", "mfa_owed").stdout
    assert command("reasons", "none").returncode == 2


def test_every_command_has_help(command: Command) -> None:
    top = command("--help")
    assert top.returncode == 0
    for name in ("init", "check", "serve", "demo", "explain", "client", "emulator", "dynamic"):
        assert name in top.stdout
        assert command(name, "--help").returncode == 0
    assert command("none").returncode == 2


def test_a_database_is_made_for_its_owner_alone_whichever_command_makes_it(
    command: Command, dynamic: RunningEmulator
) -> None:
    key = command("init", "--only-keys").stdout.strip()
    environ = {
        **command.environ,
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": "http://localhost:8080",
        "BRIDGE_SECRET_KEYS": key,
        "DYNAMIC_ENVIRONMENT_ID": dynamic.emulator.environment_id,
    }
    configured = Command(command.folder, environ)
    assert configured("check").returncode == 0
    database = command.folder / "bridge.db"
    assert not database.exists()
    assert configured("db", "upgrade").returncode == 0
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    database.chmod(0o644)
    assert "chmod 600 bridge.db" in configured("check").stderr
    misspelt = Command(command.folder, {**environ, "BRIDGE_CLOCK_SKEV": "5"})
    assert "BRIDGE_CLOCK_SKEV" in misspelt("check").stderr


def test_a_user_is_disabled_and_enabled_by_sub(initialised: Command) -> None:
    unknown = initialised("user", "disable", "d297be28-af3e-4920-96ad-58962c381eb1")
    assert unknown.returncode == 1
    assert "no user" in unknown.stderr


def test_audit_why_tells_in_words_what_happened_and_what_ended_it(bridge: Bridge, command: Command) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    token = bridge.keep(user)
    bridge.refresh(token)
    bridge.call("/revoke", token)
    asking = replace(command, folder=Path.cwd(), environ=environ_of(bridge))
    (grant_id, sid), *_ = bridge.rows("SELECT grant_id, sid FROM grants")
    for wanted in (user.id, grant_id, sid):
        told = asking("audit", "why", wanted)
        assert told.returncode == 0, told.stderr
        assert f"Grant {grant_id} of client app" in told.stdout
        for words in ("got tokens by token-exchange", "client:app refreshed", "the client revoked it (RFC 7009)"):
            assert words in told.stdout
        assert token not in told.stdout
    entries = json.loads(asking("audit", "why", grant_id, "--json").stdout)["entries"]
    assert [entry["event"] for entry in entries] == ["issued", "refreshed", "grant_closed"]
    assert asking("user", "revoke", user.id).stderr == "0 grants ended.\n"
    assert "signed out everywhere" in asking("audit", "why", grant_id).stdout
    assert asking("user", "disable", user.id).returncode == 0
    assert f"User {user.id} is disabled." in asking("audit", "why", user.id).stdout
    assert asking("audit", "why", "nobody").returncode == 1


def test_changes_of_clients_stand_in_the_audit_log(initialised: Command) -> None:
    initialised("client", "add", "web")
    initialised("client", "update", "web", "--name", "The web app")
    initialised("client", "rotate-secret", "web")
    initialised("client", "disable", "web")
    entries = json.loads(initialised("audit", "why", "web", "--json").stdout)["entries"]
    assert [(entry["event"], entry["actor"]) for entry in entries] == [
        ("client_added", "operator"),
        ("client_changed", "operator"),
        ("client_secret_added", "operator"),
        ("client_changed", "operator"),
    ]
    assert entries[1]["detail"] == {"settings": ["name"]}
    everything = initialised("audit", "list")
    assert "a signing key was made" in everything.stdout
    assert "the client's settings changed (by operator)  web" in everything.stdout


def test_doctor_tells_people_and_programs_and_exits_by_severity(initialised: Command) -> None:
    report = json.loads(initialised("doctor", "--json").stdout)
    assert {"severity", "where", "what", "why", "mend"} == set(report[0])
    told = initialised("doctor", "--fail-on", "advice")
    assert told.returncode == 1
    assert report[0]["what"] in told.stdout
    assert report[0]["mend"] in told.stdout
    usual = initialised("doctor")
    assert usual.returncode == (1 if any(finding["severity"] == "error" for finding in report) else 0)
    assert initialised("doctor", "--fail-on", "nonsense").returncode == 2


def test_init_can_leave_the_sign_in_page_to_the_bridge(tmp_path: Path, dynamic: RunningEmulator) -> None:
    command = command_for(tmp_path, dynamic)
    made = command("init", "--environment-id", dynamic.emulator.environment_id, "--signin-url", "")
    assert made.returncode == 0, made.stderr
    assert "the bridge's (login-page build)" in made.stderr
    assert json.loads(command("client", "list", "--json").stdout)[0]["signin_url"] is None
