"""Small, valid, pure wheels made in memory: the same name and version give the same bytes.
Next: `simple_pages.py`, which lists them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, field

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's own beginning of time


@dataclass(frozen=True)
class Wheel:
    """A wheel file."""

    name: str
    version: str
    filename: str
    content: bytes = field(repr=False)

    @property
    def project(self) -> str:
        """The normalised name, as in the paths of an index."""
        return normalise(self.name)

    @property
    def sha256(self) -> str:
        """The digest an index publishes."""
        return hashlib.sha256(self.content).hexdigest()


def normalise(name: str) -> str:
    """A project name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel(
    name: str, version: str = "1.0", requires: tuple[str, ...] = (), commands: tuple[str, ...] = ()
) -> Wheel:
    """A wheel with one module that knows its `version`, the given Requires-Dist lines, and commands that
    print the version.
    """
    module = normalise(name).replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    members = {
        f"{module}.py": f'version = "{version}"\n',
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: fakes\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if commands:
        members[f"{module}.py"] += "\n\ndef main():\n    print(version)\n"
        scripts = "".join(f"{command} = {module}:main\n" for command in commands)
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}"
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in members.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return Wheel(name, version, f"{module}-{version}-py3-none-any.whl", packed.getvalue())


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
