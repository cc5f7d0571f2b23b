#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that check_layering.py sees what it is there to see: a tree that keeps the map passes, and each violation, put
into that tree alone, fails with its message."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from check_layering import MAP  # noqa: E402  pylint: disable=wrong-import-position

ONEDNN = '#include "engine/linear/onednn.h"'


def lawful_tree():
    tree = {f"{folder}/all.cc": [f'#include "{target}/all.h"' if target != "proto" else '#include "heed/v1/a.grpc.pb.h"'
                                 for target in targets.split()] + ["#include <vector>"]
            for folder, (_, targets) in MAP.items()}
    tree.update({
        "proto/CMakeLists.txt": ["target_link_libraries(heed_proto PUBLIC gRPC::grpc++ protobuf::libprotobuf)"],
        "engine/linear/CMakeLists.txt": ["heed_library(PUBLIC heed_engine_kernels PRIVATE ${DNNL_LIBRARY})"],
        "models/text/CMakeLists.txt": ["heed_library(PUBLIC heed_base PRIVATE PkgConfig::SENTENCEPIECE)"],
        "server/security/CMakeLists.txt": ["heed_library(PUBLIC heed_server_telemetry OpenSSL::SSL)  # not heed_client_lib"],
        "client/lib/CMakeLists.txt": ["heed_library(PUBLIC heed_proto heed_files gRPC::grpc++ PRIVATE PkgConfig::HTTPLIB)"],
        "engine/linear/onednn.h": ["#include <dnnl.hpp>", "using Primitive = dnnl::matmul::primitive_desc;",
                                   "#if DNNL_VERSION_MAJOR < 3"],
        "engine/linear/linear.cc": [ONEDNN, "#include <omp.h>",
                                    "dnnl::memory::desc plain;  // dnnl::matmul::desc is elsewhere",
                                    "dnnl::matmul::primitive_desc held;"],
        "engine/kernels/kernel.cc": ['#define HWY_TARGET_INCLUDE "engine/kernels/kernel.cc"',
                                     '#include "hwy/foreach_target.h"'],
        "engine/kernels/kernel-inl.h": ['#include "hwy/highway.h"'],
        "models/text/subwords.cc": ["#include <sentencepiece_processor.h>"],
        "server/sessions/redis_connection.cc": ['#include "hiredis/hiredis.h"'],
        "server/languages/language_detector.cc": ["#include <cld2/public/compact_lang_det.h>"],
        "server/telemetry/metrics.cc": ["#include <prometheus/counter.h>"],
        "server/http/http_server.cc": ["#include <microhttpd.h>"],
        "server/security/tokens.cc": ['#include "openssl/sha.h"'],
        "server/messages/message_inflation.cc": ["#include <zlib.h>"],
        "base/flags/CMakeLists.txt": ["heed_library(PUBLIC heed_base PRIVATE CLI11::CLI11)"],
        "base/flags/flag_table.cc": ['#include "CLI/CLI.hpp"'],
        "client/lib/http_page.cc": ["#include <httplib.h>"],
        "client/documents/markdown_reader.cc": ["#include <cmark-gfm.h>"],
        "client/lib/client.h": ["#include <google/protobuf/message.h>"],
        "client/cli/line_editor.cc": ["#include <histedit.h>"],
        "tests/server/a_test.cc": ['#include "server/telemetry/metrics.h"', '#include "client/lib/client.h"',
                                   '#include "hwy/highway.h"', '#include "tests/support/fake.h"',
                                   "#include <prometheus/counter.h>", ONEDNN],
    })
    return tree


def run(tree):
    with tempfile.TemporaryDirectory() as folder:
        for path, lines in tree.items():
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
        done = subprocess.run([sys.executable, os.path.join(HERE, "check_layering.py"), folder], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr


VIOLATIONS = [
    # Ways around the map.
    ("name their folder", "engine/core/up.cc", ['#include "../../models/text/text.h"']),
    ("name their folder", "models/text/near.cc", ['#include "all.cc"']),
    ("engine/kernels/ may not include models/text/", "engine/kernels/up.cc",
     ['#define HWY_TARGET_INCLUDE "models/text/kernel.cc"']),
    ("server/ may not include client/", "server/other.cc", ['#include "client/x.h"']),
    ("engine/new/ is not on the map", "engine/new/a.cc", ["#include <vector>"]),
    # Fences.
    ("only by engine/linear/onednn.h", "engine/linear/other.cc", ["#include <dnnl.hpp>"]),
    ("only by engine/linear/onednn.h", "engine/linear/other.cc", ['#include "oneapi/dnnl/dnnl.h"']),
    ("only by engine/linear/onednn.h", "tests/bench/a.cc", ['#include "dnnl.hpp"']),
    ("only for engine/linear/*.cc", "engine/linear/other.h", [ONEDNN]),
    ("only for engine/linear/*.cc", "models/graph/other.cc", [ONEDNN]),
    ("for kernel files", "engine/kernels/other.h", ["#include <hwy/highway.h>"]),
    ("for kernel files", "models/graph/other.cc", ['#include "hwy/highway.h"']),
    ("OpenMP is for engine/", "models/graph/other.cc", ["#include <omp.h>"]),
    ("gRPC and protobuf", "models/graph/other.cc", ["#include <grpcpp/grpcpp.h>"]),
    ("gRPC and protobuf", "engine/core/other.cc", ["#include <google/protobuf/message.h>"]),
    ("gRPC and protobuf", "base/other.cc", ["#include <grpc/grpc.h>"]),
    ("gRPC and protobuf", "models/text/other.cc", ['#include "heed/v1/models.pb.h"']),
    ("only for server/telemetry/metrics.*", "server/rpc/call.h", ["#include <prometheus/counter.h>"]),
    ("only for server/http/http_server.cc", "server/http/http_server.h", ['#include "microhttpd.h"']),
    ("CLI11 is only for base/flags/", "client/cli/command_line.cc", ['#include "CLI/App.hpp"']),
    ("only for client/documents/markdown_", "client/documents/other.cc", ["#include <cmark-gfm.h>"]),
    ("only for client/lib/http_page.cc", "client/cli/other.cc", ["#include <httplib.h>"]),
    ("only for client/cli/line_editor.cc", "client/cli/line_editor.h", ["#include <editline/readline.h>"]),
    ("CLD2 is only for", "server/languages/language_table.cc", ["#include <cld2/public/encodings.h>"]),
    ("zlib is only for", "server/messages/other.cc", ["#include <zlib.h>"]),
    ("spdlog is only for", "server/telemetry/other.cc", ['#include "spdlog/spdlog.h"']),
    ("OpenSSL is only for", "server/rpc/other.cc", ["#include <openssl/ssl.h>"]),
    ("OpenSSL is only for", "client/lib/other.cc", ['#include "openssl/sha.h"']),
    ("hiredis is only for", "server/sessions/redis_connection.h", ['#include "hiredis/hiredis.h"']),
    ("SentencePiece is only for", "models/translation/other.cc", ["#include <sentencepiece_processor.h>"]),
    ("ICU is for", "server/rpc/other.cc", ["#include <unicode/utf8.h>"]),
    # Forms that differ between oneDNN 2.x and 3.x.
    ("differs between oneDNN", "engine/linear/other.cc", [ONEDNN, "  dnnl::matmul::desc d(a, b, c);"]),
    ("differs between oneDNN", "engine/linear/other.cc",
     [ONEDNN, "  auto p = dnnl::inner_product_forward::primitive_desc(d, engine);"]),
    ("differs between oneDNN", "engine/linear/other.cc",
     [ONEDNN, "  dnnl::matmul::primitive_desc descriptor(d, attributes, engine);"]),
    ("differs between oneDNN", "engine/linear/other.cc", [ONEDNN, "  operations.append_eltwise(1.0f, a, 0, 0);"]),
    ("differs between oneDNN", "engine/linear/other.cc", [ONEDNN, "#if DNNL_VERSION_MAJOR >= 3"]),
    ("differs between oneDNN", "engine/linear/other.cc", [ONEDNN, "  attr.set_output_scales(2, scales);"]),
    # Libraries.
    ("engine/core/ may not link models/", "engine/core/CMakeLists.txt", ["heed_library(PUBLIC heed_models)"]),
    ("models/text/ may not link proto/", "models/text/CMakeLists.txt", ["heed_library(", "  PRIVATE heed_proto)"]),
    ("models/text/ may not link proto/", "models/text/CMakeLists.txt", ["heed_library(PRIVATE heed_messages)"]),
    ("client/lib/ may not link engine/linear/", "client/lib/CMakeLists.txt", ["heed_library(PUBLIC heed_engine_linear)"]),
    ("server/rpc/ may not link client/lib/", "server/rpc/CMakeLists.txt", ["heed_library(PUBLIC heed_client_lib)"]),
    ("linked by proto/, server/ and client/", "models/text/CMakeLists.txt", ["heed_library(PUBLIC gRPC::grpc++)"]),
    ("only by models/text/", "server/oip/CMakeLists.txt", ["heed_library(PUBLIC PkgConfig::SENTENCEPIECE)"]),
    ("only by server/telemetry/", "client/lib/CMakeLists.txt", ["heed_library(PUBLIC prometheus-cpp::core)"]),
    ("only by server/telemetry/", "client/lib/CMakeLists.txt", ["heed_library(PUBLIC spdlog::spdlog)"]),
    ("only by server/http/", "client/lib/CMakeLists.txt", ["heed_library(PUBLIC PkgConfig::MICROHTTPD)"]),
    ("linked only by base/flags/", "client/cli/CMakeLists.txt", ["heed_library(PUBLIC CLI11::CLI11)"]),
    ("only by client/lib/", "server/rpc/CMakeLists.txt", ["heed_library(PUBLIC PkgConfig::HTTPLIB)"]),
    ("only by client/cli/", "server/rpc/CMakeLists.txt", ["heed_library(PUBLIC PkgConfig::LIBEDIT)"]),
    ("only by server/security/", "client/lib/CMakeLists.txt", ["heed_library(PUBLIC OpenSSL::SSL)"]),
    ("only by server/sessions/", "models/text/CMakeLists.txt", ["heed_library(PUBLIC PkgConfig::HIREDIS)"]),
    ("only by engine/linear/", "models/graph/CMakeLists.txt", ["heed_library(PUBLIC ${DNNL_LIBRARY})"]),
]


def main():
    code, output = run(lawful_tree())
    if code != 0:
        sys.exit(f"the lawful tree must pass:\n{output}")
    violations = list(VIOLATIONS)
    for source, (_, targets) in MAP.items():  # every pair of folders that is no arrow
        for target in list(MAP) + ["tests"]:
            if target != source and target not in targets.split():
                violations.append((f"{source}/ may not include {target}/", f"{source}/up.h", [f'#include "{target}/any.h"']))
    unused = lawful_tree()
    unused["models/text/all.cc"] = unused["server/oip/all.cc"] = ["#include <vector>"]
    code, output = run(unused)
    if code != 1 or "the map lets server/oip/ include models/kinds/, and nothing does" not in output:
        sys.exit(f"an arrow that nothing takes must be seen: {code}\n{output}")
    stale = lawful_tree()
    stale["docs/design.md"] = ["<!-- map: folders -->", "| folder |", "<!-- end of map -->"]
    code, output = run(stale)
    if code != 1 or not output.startswith("docs/design.md:1:"):
        sys.exit(f"a stale map in the design must be seen: {code}\n{output}")
    # A pair for each folder is enough: the rule is one.
    seen, chosen = set(), []
    for one in violations:
        key = one[1] if one[1].endswith("/up.h") else one
        if str(key) not in seen or one[0].endswith("include tests/"):
            seen.add(str(key))
            chosen.append(one)
    for message, path, lines in chosen:
        tree = lawful_tree()
        tree[path] = lines
        code, output = run(tree)
        if code != 1 or message not in output or not output.startswith(path) or "layering: 1 problems" not in output:
            sys.exit(f"wanted 1 problem at {path}: {message}\n  {lines}\ngot exit code {code}:\n{output}")
    if run({"README.md": ["nothing to look at is not a pass"]})[0] == 0:
        sys.exit("an empty tree must fail")
    print(f"layering_selftest: {len(chosen)} violations are seen")


if __name__ == "__main__":
    main()
