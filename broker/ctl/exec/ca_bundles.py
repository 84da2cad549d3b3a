"""Files of certificate authorities for the command: those in force before, and the gateway's own.

A variable that named a file goes on naming what was in it, and one more; one that named none names the
system's, because clients take such a file in place of their own list. Certificates alone are copied.
"""

import contextlib
import re
import shlex
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from broker.ctl.command_error import CommandError
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


def write_bundles(folder: Path, environ: Mapping[str, str], own: str) -> dict[str, str]:
    """Write the files into the folder; the variables that name them. `own` is a certificate in PEM.

    Raises CommandError when a file that a variable names cannot be read.
    """
    written: dict[str, str] = {}
    paths: dict[str, str] = {}
    system = _system(environ)
    for variable in VARIABLES:
        text = "\n".join([*_before(variable, environ, system), own.strip(), ""])
        if text not in paths:
            file = folder / f"authorities-{len(paths) + 1}.pem"
            file.touch(mode=0o600)
            file.write_text(text, encoding="ascii")
            paths[text] = str(file)
        written[variable] = paths[text]
    return written


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
            hint=f"export SSL_CERT_FILE=$({shlex.quote(sys.executable)} -m certifi)",
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
    compiled_in = ssl.get_default_verify_paths().openssl_cafile
    for path in (compiled_in, *_SYSTEM_FILES):
        with contextlib.suppress(UnreadableFile):
            return list(_certificates(Path(path)))
    return ()


def _read(variable: str, named: str) -> list[str]:
    place = Path(named)
    try:
        files = sorted(file for file in place.iterdir() if file.is_file()) if place.is_dir() else [place]
        return list(dict.fromkeys(found for file in files for found in _certificates(file)))
    except UnreadableFile as error:
        reason = error.told_of(place)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
    raise CommandError(f"{variable}={named} cannot be read: {reason}", hint=f"unset {variable}")


def _certificates(file: Path) -> Iterator[str]:
    content = read(file, BUNDLE_BYTES_MAX, beginning=True)
    yield from _CERTIFICATE.findall(content.decode("ascii", "ignore"))
