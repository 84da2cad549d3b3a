"""Files of certificate authorities for the command: those in force before, and the gateway's own.

A variable that named a file goes on naming what was in it, and one more; one that named none names the
system's, because clients take such a file in place of their own list. Certificates alone are copied.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from broker.ctl.command_error import CommandError
from broker.host.held_file import create_held
from broker.host.trusted_file import UnreadableFile, read

SYSTEM_VARIABLE = "SSL_CERT_FILE"
"""OpenSSL's own: uv, Go and others read it, too. Where it is set, it is what the system trusts."""

ADDING_VARIABLE = "NODE_EXTRA_CA_CERTS"
"""Node adds this file to its own list, so that it needs no more than what stood there."""

VARIABLES = (
    *(SYSTEM_VARIABLE, "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    *(ADDING_VARIABLE, "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO"),
    "npm_config_cafile",  # a `cafile` in some .npmrc would take the place of Node's own list
)

BUNDLE_BYTES_MAX = 8 << 20
"""Debian's bundle has 0.2 MB."""

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")

_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",  # macOS and others
)
"""Where systems keep their bundle (Go's crypto/x509/root_linux.go, of 2025)."""

_KEYCHAINS = (
    "/System/Library/Keychains/SystemRootCertificates.keychain",
    "/Library/Keychains/System.keychain",
)
"""macOS. Not run on a Mac."""


class Bundles:
    """The files in a folder, each complete but for the gateway's own certificate, which is `complete`d by
    whoever has the `descriptors`; `variables` name the files. A context manager: it closes them here.

    `readers_wait`: whoever opens a file waits until its descriptor is closed everywhere. Raises CommandError
    when a file that a variable names cannot be read.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.variables: dict[str, str] = {}
        self.descriptors: list[int] = []
        self.readers_wait = True
        system = _system(environ)
        texts = {each: "".join(f"{it}\n" for it in _before(each, environ, system)) for each in VARIABLES}
        paths: dict[str, str] = {}
        try:
            for variable, text in texts.items():
                if text not in paths:
                    paths[text] = self._create(folder / f"authorities-{len(paths) + 1}.pem", text)
                self.variables[variable] = paths[text]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, file: Path, text: str) -> str:
        descriptor, is_held = create_held(file, text.encode("ascii"))
        self.descriptors.append(descriptor)
        self.readers_wait = self.readers_wait and is_held
        return str(file)

    def close(self) -> None:
        """Let go of the descriptors."""
        while self.descriptors:
            os.close(self.descriptors.pop())


def _before(variable: str, environ: Mapping[str, str], system: list[str]) -> list[str]:
    named = environ.get(variable)
    if named:
        return _read(variable, named)
    return [] if variable == ADDING_VARIABLE else system


def _system(environ: Mapping[str, str]) -> list[str]:
    named = environ.get(SYSTEM_VARIABLE)
    own = _read(SYSTEM_VARIABLE, named) if named else []
    found = [*own, *_system_bundle()]
    if not found:
        raise CommandError(
            "this system's certificate authorities were not found",
            hint=f"export SSL_CERT_FILE=$({shlex.quote(sys.executable)} -P -m certifi)",
        )
    return list(dict.fromkeys(found))


def _system_bundle() -> Iterable[str]:
    if sys.platform == "darwin":
        done = subprocess.run(
            ["/usr/bin/security", "find-certificate", "-a", "-p", *_KEYCHAINS],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return _CERTIFICATE.findall(done.stdout)
    for path in _SYSTEM_FILES:
        with contextlib.suppress(UnreadableFile):
            return list(_certificates(Path(path)))
    import ssl  # noqa: PLC0415 - 40 ms, for a system that keeps its bundle elsewhere

    with contextlib.suppress(UnreadableFile):
        return list(_certificates(Path(ssl.get_default_verify_paths().openssl_cafile)))
    return ()


def _read(variable: str, named: str) -> list[str]:
    place = Path(named)
    try:
        files = sorted(file for file in place.iterdir() if file.is_file()) if place.is_dir() else [place]
        certificates = list(dict.fromkeys(found for file in files for found in _certificates(file)))
    except UnreadableFile as error:
        reason = error.told_of(place)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
    else:
        if certificates or variable == ADDING_VARIABLE:
            return certificates
        reason = "not certificates in PEM form"
    raise CommandError(f"{variable}={named} cannot be read: {reason}", hint=f"unset {variable}")


def _certificates(file: Path) -> Iterator[str]:
    content = read(file, BUNDLE_BYTES_MAX, beginning=True)
    yield from _CERTIFICATE.findall(content.decode("ascii", "ignore"))
