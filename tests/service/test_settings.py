from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lungflag.errors import ConfigurationError
from lungflag.service.manual import sample_file, settings_page
from lungflag.service.settings import PREFIX, SETTINGS, Settings, load_settings
from lungflag.service.target import _KEYS, _KEYS_OF, KINDS, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lungflag.toml"


def _load(
    file: Path, text: str, environ: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ or {}, flags)


def test_the_table_and_the_values_have_the_same_names() -> None:
    assert [one.name for one in SETTINGS] == [item.name for item in fields(Settings)]


def test_defaults_listen_to_this_machine_only() -> None:
    settings = load_settings(None, {"PATH": "/bin"}, {})
    assert (settings.host, settings.http_host) == ("127.0.0.1", "127.0.0.1")
    assert settings.allow == ()
    assert settings.database_url == f"sqlite:///{Path.cwd()}/lungflag-data/ledger.db"


def test_flags_over_environment_over_file_over_defaults(file: Path) -> None:
    environ = {"LUNGFLAG_PORT": "2", "LUNGFLAG_BATCH": "2"}
    settings = _load(file, "port = 1\nbatch = 1\nattempts = 1", environ, port="3", host=None)
    assert (settings.port, settings.batch, settings.attempts) == (3, 2, 1)
    assert settings.http_port == 8080


def test_text_says_the_same_as_toml(file: Path) -> None:
    text = """
    allow = ["XRAY1@192.0.2.7", "CR 2@192.0.2.8"]
    lease_seconds = 90
    tls_certificate = ""
    targets = [{name = "pacs", kind = "dicom", address = "PACS@192.0.2.9:104", send = ["sr"]}]
    """
    environ = {
        "LUNGFLAG_ALLOW": "XRAY1@192.0.2.7, CR 2@192.0.2.8",
        "LUNGFLAG_LEASE_SECONDS": "90.0",
        "LUNGFLAG_TLS_CERTIFICATE": "",
        "LUNGFLAG_TARGETS": (
            '[{name = "pacs", kind = "dicom", address = "PACS@192.0.2.9:104", send = ["sr"]}]'
        ),
    }
    assert _load(file, text) == load_settings(None, environ, {})


def test_paths_of_the_file_are_relative_to_it(file: Path) -> None:
    text = """
    folder = "data"
    watch = "/srv/in"
    [[targets]]
    name = "share"
    kind = "files"
    address = "out"
    [[targets]]
    name = "record"
    kind = "fhir"
    address = "https://fhir.example.org/r4/"
    ca = "ca.pem"
    """
    settings = _load(file, text, {"LUNGFLAG_AUDIT_FILE": "audit.xml"})
    assert settings.folder == file.parent / "data"
    assert settings.watch == Path("/srv/in")
    assert settings.audit_file == Path("audit.xml")
    share, record = settings.targets
    assert share.address == str(file.parent / "out")
    assert record.ca == file.parent / "ca.pem"
    assert record.address == "https://fhir.example.org/r4"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour = 1", "there is no setting colour"),
        ("port = 70000", "port is not a whole number from 0 to 65535"),
        ("port = true", "port is not a whole number"),
        ("port = 1.5", "port is not a whole number"),
        ('workers = "many"', "workers is not a whole number from 1 to 256"),
        ("lease_seconds = nan", "lease_seconds is not a number of seconds"),
        ("lease_seconds = 0", "lease_seconds is not a number of seconds"),
        ('ae_title = "A\\\\B"', "ae_title is no AE title"),
        ('ae_title = "SEVENTEEN LETTERS"', "ae_title is no AE title"),
        ('allow = ["XRAY1"]', "allow is no list of AET@address"),
        ('log_level = "loud"', "log_level is not one of debug, info, warning, error"),
        ('model = ""', "model is empty"),
        ('model = "a\\nb"', "model is not a line of text"),
        ("folder = 1", "folder is not a line of text"),
        ("targets = [1]", r"targets 1 is no table"),
        ("[targets]\na = 1", r"targets is no array of tables: write \[\[targets\]\]"),
        ("port = ", "is no TOML"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(file: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        _load(file, text)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_what_is_wrong_elsewhere_is_named_too(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="environment variable LUNGFLAG_PORT: port is not"):
        load_settings(None, {"LUNGFLAG_PORT": "x"}, {})
    with pytest.raises(ConfigurationError, match="LUNGFLAG_COLOUR: there is no setting colour"):
        load_settings(None, {"LUNGFLAG_COLOUR": "x"}, {})
    with pytest.raises(ConfigurationError, match="--http-port: http_port is not"):
        load_settings(None, {}, {"http_port": "x"})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {}, {})
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is no TOML"):
        load_settings(file, {}, {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('tls_key = "k.pem"', "tls_certificate, tls_key and tls_ca are needed together"),
        ("lease_seconds = 30", "lease_seconds is not longer than timeout_seconds"),
        (
            'targets = [{name = "p", kind = "dicom", address = "A@h:1", tls = true}]',
            "target p: tls needs tls_certificate",
        ),
    ],
)
def test_values_that_do_not_fit_together(file: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        _load(file, text)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": "files", "address": "a"}, "targets 1 lacks name"),
        ({"name": "a", "address": "a"}, r"targets 1 \(a\) lacks kind"),
        (
            {"name": "a", "kind": "ftp", "address": "a"},
            "kind is not one of dicom, stow, fhir, files",
        ),
        ({"name": "a", "kind": "dicom", "address": "PACS"}, "is not of the form AET@host:port"),
        ({"name": "a", "kind": "dicom", "address": "P@h:0"}, "is not of the form AET@host:port"),
        ({"name": "a", "kind": "stow", "address": "ftp://h/"}, "address is no http or https URL"),
        ({"name": "a", "kind": "stow", "address": "http://u:p@h/"}, "address holds a password"),
        ({"name": "a", "kind": "files", "address": "a", "tls": True}, "of kind files has no tls"),
        ({"name": "a", "kind": "fhir", "address": "http://h", "send": ["sr"]}, "takes no sr"),
        ({"name": "a", "kind": "files", "address": "a", "send": []}, "send is no list of results"),
        ({"name": "a", "kind": "files", "address": "a", "send": ["x"]}, "takes no x"),
    ],
)
def test_a_target_that_is_wrong(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        load_settings(None, {}, {"targets": [entry]})


def test_two_targets_of_one_name() -> None:
    entry = {"name": "a", "kind": "files", "address": "a"}
    with pytest.raises(ConfigurationError, match="has two of the name a"):
        load_settings(None, {}, {"targets": [entry, entry]})


def test_a_dicom_target_knows_its_parts() -> None:
    entry = {"name": "a", "kind": "dicom", "address": "MY PACS@[2001:db8::1]:104"}
    (target,) = load_settings(None, {}, {"targets": [entry]}).targets
    assert (target.ae_title, target.host, target.port) == ("MY PACS", "2001:db8::1", 104)
    assert target.send == KINDS["dicom"]


def test_secrets_are_not_shown() -> None:
    entry = {
        "name": "a", "kind": "fhir", "address": "http://h", "user": "u", "password": "SECRET",
        "token": "SECRET",
    }  # fmt: skip
    flags = {"database": "postgresql://u:SECRET@h/n", "http_token": "SECRET", "targets": [entry]}
    settings = load_settings(None, {}, flags)
    assert "SECRET" not in repr(settings)
    assert settings.database_url == flags["database"]
    assert settings.targets[0].headers == {"Authorization": "Bearer SECRET"}


def test_a_user_authenticates_with_a_password() -> None:
    target = Target(name="a", kind="stow", address="http://h", send=("sr",), user="u", password="ü")
    assert target.headers == {"Authorization": "Basic dTrDvA=="}


# The page


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "python -m lungflag.service.manual > docs/settings.md"


def test_the_page_names_every_key_of_a_target() -> None:
    keys = set(_KEYS) | {key for of_kind in _KEYS_OF.values() for key in of_kind}
    assert all(f"`{key}`" in settings_page() for key in keys)


def test_the_sample_states_the_defaults(file: Path) -> None:
    lines = [line.removeprefix("# ") for line in sample_file().splitlines()]
    names = tuple(f"{one.name} = " for one in SETTINGS)
    stated = "\n".join(line for line in lines if line.startswith(names))
    assert stated.count("\n") == len(SETTINGS) - 2
    settings, default = _load(file, stated), load_settings(None, {}, {})
    assert settings.folder == file.parent / default.folder
    assert all(
        getattr(settings, one.name) == getattr(default, one.name)
        for one in SETTINGS
        if one.name not in ("folder", "targets")
    )


def test_the_sample_is_read_as_it_is(file: Path) -> None:
    assert _load(file, sample_file()) == load_settings(None, {}, {})


def test_the_environment_can_say_everything() -> None:
    environ = {
        f"{PREFIX}{one.name.upper()}": ",".join(one.default)
        if isinstance(one.default, list)
        else str(one.default)
        for one in SETTINGS
        if one.name != "targets"
    }
    assert load_settings(None, environ, {}) == load_settings(None, {}, {})
