# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml cannot say: the stubs and their types are generated while the package is built, by the grpcio-tools of
the build, and need a gRPC that is no older. The version, the protos, the service config and the license are those of Heed's
tree; a source distribution brings its own."""

import importlib.metadata
import os
import pathlib
import re
import shutil
import sysconfig

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[1] if len(HERE.parents) > 1 else HERE
SERVICE_CONFIG = "service_config.json"


def first_existing(what, *paths):
    for path in paths:
        if path.exists():
            return path
    raise SystemExit(f"heed-client: there is no {what} ({', '.join(map(str, paths))}): build it in Heed's tree")


def proto_folder():
    return first_existing("proto/heed/v1", HERE / "proto/heed/v1", TREE / "proto/heed/v1").parents[1]


def service_config():
    return first_existing(SERVICE_CONFIG, HERE / SERVICE_CONFIG, HERE.parent / SERVICE_CONFIG)


def bring_license():
    """Next to this file, where setuptools looks for it."""
    if not (HERE / "PKG-INFO").is_file():  # no source distribution
        shutil.copyfile(first_existing("LICENSE", TREE / "LICENSE"), HERE / "LICENSE")


def version():
    for path, pattern in (
        (HERE / "PKG-INFO", r"^Version: (\S+)"),
        (TREE / "CMakeLists.txt", r"^project\(heed VERSION (\S+)"),
    ):
        if path.is_file() and (match := re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)):
            return match[1]
    raise SystemExit(f"heed-client: neither {HERE}/PKG-INFO nor {TREE}/CMakeLists.txt names a version")


def dependencies():
    """The gRPC and the protobuf that stubs of this grpcio-tools run with; google.rpc's messages of errors."""
    names = ("grpcio", "protobuf")
    of_stubs = [one for one in importlib.metadata.requires("grpcio-tools") if re.match(r"[\w-]+", one)[0] in names]
    return [*of_stubs, "googleapis-common-protos>=1.56"]


def plugin(name):
    """protoc's flag for a plugin of mypy-protobuf."""
    scripts = os.pathsep.join([os.environ.get("PATH", ""), sysconfig.get_path("scripts")])
    found = shutil.which(f"protoc-gen-{name}", path=scripts)
    if found is None:
        raise SystemExit(f"heed-client: there is no protoc-gen-{name}; install mypy-protobuf")
    return f"--plugin=protoc-gen-{name}={found}"


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        import grpc_tools
        from grpc_tools import protoc

        out = pathlib.Path(self.build_lib)
        proto = proto_folder()
        known = pathlib.Path(grpc_tools.__file__).parent / "_proto"  # google/protobuf/*.proto
        files = sorted(str(path) for path in (proto / "heed" / "v1").glob("*.proto"))
        generators = ("python", "grpc_python", "mypy", "mypy_grpc")
        flags = [f"-I{proto}", f"-I{known}", plugin("mypy"), plugin("mypy_grpc")]
        flags += [f"--{generator}_out={out}" for generator in generators]
        if protoc.main(["protoc", *flags, *files]) != 0:
            raise SystemExit("heed-client: the stubs could not be generated (above)")
        for folder in (out / "heed", out / "heed" / "v1"):
            (folder / "py.typed").touch()
        shutil.copyfile(service_config(), out / "heed_client" / SERVICE_CONFIG)


class SdistOutsideOfTheTree(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        base = pathlib.Path(base_dir)
        shutil.copytree(proto_folder() / "heed", base / "proto" / "heed", dirs_exist_ok=True)
        shutil.copyfile(service_config(), base / SERVICE_CONFIG)


bring_license()
setup(
    version=version(),
    install_requires=dependencies(),
    cmdclass={"build_py": BuildWithStubs, "sdist": SdistOutsideOfTheTree},
)
