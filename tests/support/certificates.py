"""A certificate authority, a server and a client for tests of TLS, made with the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Files in PEM. The server is `localhost` and 127.0.0.1; the client is `gateway`."""

    folder: Path

    def file(self, name: str) -> Path:
        """``ca.crt``, ``server.crt``, ``server.key``, ``client.crt``, ``client.key``, ``locked.key`` (passphrase)."""
        return self.folder / name


def make(folder: Path) -> Certificates:
    """Makes them in `folder`, good for two days."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    ca = ["-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE"]
    ca += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl(folder, "req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", *ca)
    for name, common, extensions in (
        ("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ("client", "gateway", "extendedKeyUsage=clientAuth"),
    ):
        _openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={common}")
        (folder / f"{name}.ext").write_text(f"{extensions}\nauthorityKeyIdentifier=keyid\n")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext"]
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-days", "2", "-out", f"{name}.crt", *signing)
    _openssl(folder, "pkey", "-in", "client.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
    return Certificates(folder)


def _openssl(folder: Path, *arguments: str) -> None:
    result = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"openssl {' '.join(arguments)}:\n{result.stderr}"
