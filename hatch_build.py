"""Generates the protobuf stubs; called by the package build and by `make protos`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent


def generate() -> None:
    """Runs protoc over every contract; stubs land beside the protos."""
    protos = ROOT / "protos"
    from importlib.resources import files

    plugin = Path(sys.executable).parent / "protoc-gen-mypy"
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    command = [
        sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{files('grpc_tools') / '_proto'}",
        "--python_out=.", "--grpc_python_out=.",
    ]  # fmt: skip
    if plugin.exists() or shutil.which("protoc-gen-mypy"):
        command += ["--mypy_out=quiet:."]
        if plugin.exists():
            command += [f"--plugin=protoc-gen-mypy={plugin}"]
    subprocess.run([*command, *sources], cwd=protos, check=True)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `make protos` runs this file without the build back end
    pass
else:

    class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
        """Generates before every wheel, editable or not."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, object]) -> None:
            """Called by hatchling."""
            generate()


if __name__ == "__main__":
    generate()
