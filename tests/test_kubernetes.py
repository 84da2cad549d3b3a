"""The Kubernetes manifest against the schemas of Kubernetes itself, as kubernetes-validate ships them.

It takes the network and 110 MB to install them. TOKEN_BROKER_TEST_KUBERNETES names a Python that has them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

MANIFESTS = sorted((Path(__file__).parents[1] / "kubernetes").glob("*.yaml"))
VERSIONS = ("1.29", "1.33", "1.37")
INSTALL_S = 600.0
VALIDATE = """
import sys, kubernetes_validate, yaml
with open(sys.argv[1]) as file:
    for document in yaml.safe_load_all(file):
        kubernetes_validate.validate(document, sys.argv[2], strict=True)
        print(document["kind"])
"""


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has the schemas."""
    if named := os.environ.get("TOKEN_BROKER_TEST_KUBERNETES"):
        return named
    folder = tmp_path_factory.mktemp("kubernetes")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "kubernetes-validate>=1.37"]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode != 0:
        pytest.skip(f"kubernetes-validate cannot be installed here: {done.stderr[-200:]}")
    return python


def validated(validator: str, manifest: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [validator, "-c", VALIDATE, str(manifest), version]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_manifest_is_what_this_kubernetes_takes(validator: str, manifest: Path, version: str) -> None:
    done = validated(validator, manifest, version)

    assert (done.returncode, done.stdout.split()) == (0, ["ServiceAccount", "Job"]), done.stderr


def test_a_misspelt_key_would_be_seen(validator: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(MANIFESTS[0].read_text().replace("shareProcessNamespace", "shareProcessNamespaces"))

    assert "shareProcessNamespaces" in validated(validator, broken, VERSIONS[-1]).stderr
