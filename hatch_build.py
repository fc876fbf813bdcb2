"""Build hook: compiles proto/*.proto into the package `plano_pb` (git-ignored), for wheels and editable installs."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtoBuildHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel":
            compile_protos(Path(self.root))
            if version != "editable":  # git-ignored, so hatchling would leave it out
                build_data["force_include"][str(Path(self.root) / "plano_pb")] = "plano_pb"


def compile_protos(root: Path) -> None:
    """Write `<name>_pb2.py` and its type stub for every proto/<name>.proto."""
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    out = root / "plano_pb"
    out.mkdir(exist_ok=True)
    (out / "__init__.py").write_text('"""Generated from proto/ at build time; do not edit."""\n')
    (out / "py.typed").touch()
    sources = sorted(str(path.relative_to(root / "proto")) for path in (root / "proto").glob("*.proto"))
    includes = [f"-I{root / 'proto'}", f"-I{well_known}"]
    arguments = ["protoc", *includes, f"--python_out={out}", f"--pyi_out={out}", *sources]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed: see its messages above")


if __name__ == "__main__":
    compile_protos(Path(__file__).parent)
