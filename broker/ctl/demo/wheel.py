"""A wheel made in memory, for the demo's index to serve."""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass, field

PROJECT = "broker-demo"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's file name and bytes."""

    filename: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """What an index says of it, so that installers can check."""
        return hashlib.sha256(self.content).hexdigest()


def made() -> Wheel:
    """A pure wheel of one module (binary distribution format 1.0)."""
    module, version = PROJECT.replace("-", "_"), "1.0"
    folder = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": '"""Installed by uv through token-broker."""\n',
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {version}\n",
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: demo\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{folder}/RECORD"] = "".join([*record, f"{folder}/RECORD,,\n"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(
                zipfile.ZipInfo(path), text
            )  # the zip format's first day: the same bytes each time
    return Wheel(f"{module}-{version}-py3-none-any.whl", packed.getvalue())


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
