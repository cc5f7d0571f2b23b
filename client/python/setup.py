# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the stubs are generated while the package is built, by the grpcio-tools of the build,
and need a gRPC that is no older."""

import importlib.metadata
import pathlib
import re
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[1] if len(HERE.parents) > 1 else HERE


def proto_folder():
    """Of Heed's tree, or of a source distribution, which brings its own."""
    for folder in (HERE / "proto", TREE / "proto"):
        if (folder / "heed" / "v1").is_dir():
            return folder
    raise SystemExit(f"heed-client: there is no proto/heed/v1 in {HERE} or {TREE}: build it in Heed's tree")


def version():
    for path, pattern in (
        (HERE / "PKG-INFO", r"^Version: (\S+)"),
        (TREE / "CMakeLists.txt", r"^project\(heed VERSION (\S+)"),
    ):
        if path.is_file() and (match := re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)):
            return match[1]
    raise SystemExit(f"heed-client: neither {HERE}/PKG-INFO nor {TREE}/CMakeLists.txt names a version")


def dependencies():
    """The gRPC and the protobuf that stubs of this grpcio-tools run with."""
    names = ("grpcio", "protobuf")
    return [one for one in importlib.metadata.requires("grpcio-tools") if re.match(r"[\w-]+", one)[0] in names]


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        import grpc_tools
        from grpc_tools import protoc

        proto = proto_folder()
        known = pathlib.Path(grpc_tools.__file__).parent / "_proto"  # google/protobuf/*.proto
        files = sorted(str(path) for path in (proto / "heed" / "v1").glob("*.proto"))
        flags = [f"-I{proto}", f"-I{known}", f"--python_out={self.build_lib}", f"--grpc_python_out={self.build_lib}"]
        if protoc.main(["protoc", *flags, *files]) != 0:
            raise SystemExit("heed-client: the stubs could not be generated (above)")


class SdistWithProtos(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copytree(proto_folder() / "heed", pathlib.Path(base_dir) / "proto" / "heed")


setup(
    version=version(),
    install_requires=dependencies(),
    cmdclass={"build_py": BuildWithStubs, "sdist": SdistWithProtos},
)
