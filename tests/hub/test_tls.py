"""TLS by files: the hub speaks https, or says what is wrong with the files before it does anything."""

import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import attrs
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from hub.commands.serve import tls_of
from hub.settings import Server
from paranet.errors import BadSettings
from tests.hub.test_start import check_refused, run
from tests.journeys.hub import PASSWORD, running


@attrs.frozen
class Files:
    """What an authority has made for 127.0.0.1."""

    authority: trustme.CA
    cert: Path
    key: Path

    @property
    def variables(self) -> dict[str, str]:
        """How a hub is told of them."""
        return {"PARANET_SERVER_TLS_CERT": str(self.cert), "PARANET_SERVER_TLS_KEY": str(self.key)}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A certificate and its key."""
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return Files(authority, cert, key)


async def test_with_a_certificate_the_hub_speaks_https(tmp_path: Path, files: Files) -> None:
    """REST, cookies that never leave https, HSTS and sockets; a client that does not trust it, or speaks http or TLS 1.1, gets nowhere."""
    trusting = ssl.create_default_context()
    files.authority.configure_trust(trusting)
    async with running(tmp_path / "data", **files.variables) as hub:
        assert hub.url.startswith("https://127.0.0.1:")
        async with aiohttp.ClientSession(hub.url, connector=aiohttp.TCPConnector(ssl=trusting)) as client:
            response = await client.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD})
            assert "max-age" in response.headers["Strict-Transport-Security"]
            assert all("; Secure" in cookie for cookie in response.headers.getall("Set-Cookie"))
            token = (await response.json())["access_token"]
            async with client.ws_connect("/ws", headers={"Authorization": f"Bearer {token}"}) as ws:
                assert (await ws.receive_json(timeout=10))["type"] == "welcome"
            old = ssl.create_default_context()
            files.authority.configure_trust(old)
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                old.maximum_version = ssl.TLSVersion.TLSv1_1
            for wrong in (ssl.create_default_context(), old):
                with pytest.raises(aiohttp.ClientConnectorError):
                    await client.get("/healthz", ssl=wrong)
            with pytest.raises(aiohttp.ClientError):
                await client.get(f"{hub.url.replace('https', 'http')}/healthz")


def _mismatched(files: Files) -> None:
    files.key.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())


def _encrypted(files: Files) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda files: files.cert.unlink(), ("server.tls_cert", "cert.pem", "No such file")),
        (lambda files: files.key.unlink(), ("server.tls_key", "key.pem", "No such file")),
        (lambda files: files.cert.write_bytes(b"nothing"), ("server.tls_cert", "cannot be used")),
        (_mismatched, ("server.tls_cert", "server.tls_key", "MISMATCH")),
        (_encrypted, ("server.tls_key", "encrypted")),
    ],
    ids=["no certificate", "no key", "a certificate that is none", "another's key", "an encrypted key"],
)
def test_files_that_cannot_be_used_are_refused(files: Files, spoil: Callable[[Files], object], words: tuple[str, ...]) -> None:
    """The setting is named, before anything has been made; nobody is asked for a password at a terminal."""
    spoil(files)
    with pytest.raises(BadSettings) as caught:
        tls_of(Server(tls_cert=files.cert, tls_key=files.key))
    assert [word for word in words if word not in caught.value.detail] == []
    assert "\n" not in caught.value.detail


def test_one_file_without_the_other_is_refused(files: Files) -> None:
    """They belong together."""
    for server in (Server(tls_cert=files.cert), Server(tls_key=files.key)):
        with pytest.raises(BadSettings, match=r"server\.tls_cert and server\.tls_key belong together"):
            tls_of(server)


async def test_a_hub_with_wrong_files_does_not_start(tmp_path: Path) -> None:
    """One line on stderr, exit code 2, and no data directory."""
    variables = {"PARANET_SERVER_TLS_CERT": str(tmp_path / "no.pem"), "PARANET_SERVER_TLS_KEY": str(tmp_path / "no.pem")}
    ended = await run(sys.executable, "-m", "hub", "--data-dir", "data", cwd=tmp_path, variables=variables)
    check_refused(ended, 2, "server.tls_cert", "no.pem", "No such file")
    assert not (tmp_path / "data").exists()
