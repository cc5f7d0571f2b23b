#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the map of the folders.

  check_layering.py TREE       fails, with path:line for each, on
    - an include of a folder that is no arrow of MAP, and an arrow of MAP that no include takes;
    - an arrow that closes a circle, and a map in docs/design.md that is not this one;
    - an include that does not name its folder from the root of the tree;
    - a fenced header, or a fenced library of a CMakeLists.txt, outside its fence;
    - a CMakeLists.txt that links the library of a folder that is no arrow of MAP;
    - a oneDNN call whose form differs between 2.x and 3.x outside engine/linear/onednn.h.
  check_layering.py --map      prints the map as a Markdown table

tests/ may include everything, except dnnl.hpp itself. Tested by layering_selftest.py.
"""
import os
import re
import sys

# A folder, what it is, and the folders whose headers and libraries it may use. "proto" is the generated code.
MAP = {
    "base": ("what both programs need and what knows no numbers", ""),
    "base/flags": ("the flags of both programs, and the pages about them", "base"),
    "files": ("readers and writers of weights and graph files", "base"),
    "engine/core": ("memory, threads, matrices", "base"),
    "engine/kernels": ("vector kernels over rows", "engine/core"),
    "engine/linear": ("matrix products and linear layers", "base files engine/core engine/kernels"),
    "engine/graph": ("graph versions, updates, neighborhoods, aggregation", "base files engine/core"),
    "models/kinds": ("a task, a model, an interface for each kind", "base engine/core engine/graph engine/linear"),
    "models/languages": ("names of languages, and groups of them", "base"),
    "models/layers": ("what networks are made of", "base files engine/core engine/kernels engine/linear"),
    "models/sentences": ("splitting a text into sentences", "base"),
    "models/markup": ("documents as texts to translate, and back", "base models/kinds"),
    "models/moses": ("Moses' tokenizer and detokenizer", "base"),
    "models/text": ("from text to tokens, and back", "base models/moses"),
    "models/language_text": ("tokenizers of language models", "base models/moses models/text"),
    "models/search": ("greedy and beam search, and sampling",
                      "base engine/linear models/kinds"),
    "models/translation": ("encoder-decoder networks, and translators of them",
                           "base files engine/core engine/kernels engine/linear models/kinds models/languages "
                           "models/layers models/search models/sentences models/text"),
    "models/language": ("scoring and generation, and sessions, over networks that read from left to right",
                        "base engine/core engine/kernels models/kinds models/search models/text"),
    "models/transformer_xl": ("Transformer-XL",
                              "base files engine/core engine/kernels engine/linear models/kinds models/language "
                              "models/language_text models/layers models/text"),
    "models/xlnet": ("XLNet's network, and reading from left to right with it",
                     "base files engine/core engine/kernels engine/linear models/kinds models/language "
                     "models/layers"),
    "models/xlnet_tasks": ("XLNet's heads, and the tasks of the model",
                           "base files engine/core engine/linear models/kinds models/language models/language_text "
                           "models/layers models/text models/xlnet"),
    "models/graph": ("graph neural networks",
                     "base engine/core engine/kernels engine/linear engine/graph models/kinds models/layers"),
    "models/ntm": ("the Neural Turing Machine",
                   "base files engine/core engine/kernels engine/linear models/kinds models/layers"),
    "models": ("from a model directory to a model",
               "base engine/core engine/linear models/kinds models/translation models/graph models/ntm models/transformer_xl "
               "models/xlnet_tasks"),
    "server/options": ("the flags of heed-server",
                       "base base/flags engine/graph server/http server/registry server/tracing"),
    "server/platform": ("what the machine gives: cgroup, locked directories", "base"),
    "server/telemetry": ("metrics, log, traces", "base engine/linear server/platform"),
    "server/network": ("sockets and connections", "base server/telemetry"),
    "server/scheduling": ("jobs, and when their tasks are stepped", "base models/kinds server/telemetry"),
    "server/registry": ("the models that are served", "base engine/linear models/kinds server/scheduling server/telemetry"),
    "server/languages": ("languages that are served, routes between them, detection",
                         "base models/kinds models/languages server/registry server/scheduling"),
    "server/graphs": ("stored graphs", "base files engine/graph models/kinds server/platform server/registry "
                      "server/scheduling server/telemetry"),
    "server/sessions": ("sessions in memory, files and Redis",
                        "base models/kinds server/platform server/registry server/telemetry"),
    "server/security": ("TLS, certificates, tokens, rights, limits", "base proto server/scheduling server/telemetry"),
    "server/messages": ("between the wire's messages and the models' types",
                        "base files engine/graph models/kinds models/sentences proto server/sessions server/telemetry"),
    "server/oip": ("the Open Inference Protocol's tensors, and its JSON",
                   "base engine/linear models/kinds proto server/messages server/scheduling server/telemetry"),
    "server/rpc": ("one call: message, job, status, log line",
                   "base proto server/messages server/registry server/scheduling server/security server/telemetry"),
    "server/tracing": ("traces on their way to a collector", "base proto server/rpc server/telemetry"),
    "server/session_calls": ("requests on sessions, whatever the kind of their model",
                             "base models/kinds proto server/messages server/registry server/rpc server/scheduling "
                             "server/sessions server/telemetry"),
    "server/language": ("the service of language models",
                        "base models/kinds proto server/messages server/rpc server/scheduling "
                        "server/session_calls server/sessions server/telemetry"),
    "server/translation": ("what a request to translate comes to: routes, markup, phrases, the cache",
                           "base models/kinds models/markup models/sentences proto server/languages server/messages "
                           "server/registry server/scheduling server/telemetry"),
    "server/services": ("the services, one class each",
                        "base models/kinds proto server/graphs server/languages server/messages server/oip "
                        "server/registry server/rpc server/scheduling server/session_calls server/sessions "
                        "server/telemetry server/translation"),
    "server/http": ("the HTTP server: connections, requests, answers",
                    "base server/messages server/network server/security server/telemetry"),
    "server/gateway": ("from requests over HTTP to calls of the services",
                       "base proto server/http server/messages server/oip server/rpc server/scheduling server/security "
                       "server/telemetry"),
    "server/page": ("the page at /, for people", "base server/gateway server/http server/messages"),
    "server/translation_api": ("LibreTranslate's and DeepL's APIs",
                               "base proto server/gateway server/http server/platform server/rpc server/scheduling "
                               "server/security"),
    "server": ("where the server is put together",
               "base base/flags engine/kernels engine/linear models server/gateway server/graphs server/http server/language server/network server/options "
               "server/page server/platform server/registry server/rpc server/scheduling server/security server/services server/sessions "
               "server/telemetry server/tracing server/translation_api"),
    "client/lib": ("the C++ client library", "base files proto"),
    "client/cli": ("what the commands share", "base base/flags client/lib proto"),
    "client/render": ("answers as text, JSON, bars, maps, tables", "base client/cli client/lib proto"),
    "client/documents": ("subtitles, markup, Markdown, message files: their texts, and the rest", "base client/render proto"),
    "client/commands": ("the commands of heed",
                        "base base/flags files client/cli client/documents client/lib client/render proto"),
    "client/language": ("the commands of language models",
                        "base base/flags client/cli client/lib client/render proto"),
    "client/top": ("heed top", "base client/cli client/lib client/render"),
    "client/bench": ("heed bench",
                     "base base/flags files client/cli client/commands client/language client/lib client/render"),
    "client": ("the table of commands, and main", "base base/flags client/cli client/top"),
}

# Arrows that only the linker sees: client/cli/commands.h declares what these folders define.
LINKED = {("client", "client/commands"), ("client", "client/language"), ("client", "client/bench")}

# What an include names, where it may be, how to say so.
FENCES = [(re.compile(header), re.compile(place), message) for header, place, message in (
    (r"^(oneapi/dnnl/.*|dnnl.*\.(h|hpp))$", r"^engine/linear/onednn\.h$",
     "oneDNN is included only by engine/linear/onednn.h"),
    (r"^engine/linear/onednn\.h$", r"^(engine/linear/[^/]*\.cc|tests/.*)$",
     "engine/linear/onednn.h is only for engine/linear/*.cc"),
    (r"^hwy/", r"^(engine/.*(\.cc|-inl\.h)|tests/.*)$", "Highway is for kernel files: .cc and -inl.h of engine/"),
    (r"^omp\.h$", r"^(engine|tests)/", "OpenMP is for engine/: oneDNN runs on the calling thread"),
    (r"^(grpc|grpcpp|google/protobuf)/|\.pb\.h$", r"^(server|client|tests)/",
     "gRPC and protobuf are for server/ and client/"),
    (r"^prometheus/", r"^(server/telemetry/metrics\.(h|cc)|tests/.*)$",
     "prometheus-cpp is only for server/telemetry/metrics.*"),
    (r"^spdlog/", r"^(server/telemetry/log\.cc|tests/.*)$", "spdlog is only for server/telemetry/log.cc"),
    (r"^microhttpd", r"^(server/http/http_server\.cc|tests/.*)$",
     "libmicrohttpd is only for server/http/http_server.cc"),
    (r"^gnutls/", r"^(server/http/tls_credentials\.cc|tests/.*)$", "GnuTLS is only for server/http/tls_credentials.cc"),
    (r"^(histedit\.h|editline/)", r"^(client/cli/line_editor\.cc|tests/.*)$",
     "libedit is only for client/cli/line_editor.cc"),
    (r"^CLI/", r"^(base/flags/flag_table\.cc|tests/.*)$", "CLI11 is only for base/flags/flag_table.cc"),
    (r"^cmark-gfm", r"^(client/documents/markdown_.*|tests/.*)$", "cmark-gfm is only for client/documents/markdown_*"),
    (r"^httplib", r"^(client/lib/http_page\.cc|tests/.*)$", "cpp-httplib is only for client/lib/http_page.cc"),
    (r"^openssl/", r"^(server/security/(tokens|certificates)\.cc|server/build_info\.cc|server/sessions/deadline_stream\.cc|tests/.*)$",
     "OpenSSL is only for server/security/tokens.cc, certificates.cc, server/build_info.cc and deadline_stream.cc"),
    (r"^cld2/", r"^(server/languages/language_detector\.cc|tests/.*)$",
     "CLD2 is only for server/languages/language_detector.cc"),
    (r"^zlib\.h$", r"^(server/messages/message_inflation\.cc|tests/.*)$",
     "zlib is only for server/messages/message_inflation.cc"),
    (r"^hiredis", r"^(server/sessions/redis_connection\.cc|tests/.*)$",
     "hiredis is only for server/sessions/redis_connection.cc"),
    (r"^sentencepiece", r"^(models/text/subwords\.(h|cc)|tests/.*)$",
     "SentencePiece is only for models/text/subwords.*"),
    (r"^unicode/", r"^(base|models/(language_text|languages|markup|moses|sentences|text)|client/(documents|render)|tests)/",
     "ICU is for base/, client/documents/, client/render/, and of models/: language_text/, languages/, markup/, moses/, sentences/, text/"),
)]
LINK_FENCES = [(re.compile(library), re.compile(place), message) for library, place, message in (
    (r"DNNL_LIBRARY", r"^engine/linear/", "oneDNN is linked only by engine/linear/"),
    (r"PkgConfig::HWY", r"^engine/", "Highway is linked only by engine/"),
    (r"(gRPC|protobuf)::", r"^(proto|server|client)/", "gRPC and protobuf are linked by proto/, server/ and client/"),
    (r"prometheus-cpp", r"^server/telemetry/", "prometheus-cpp is linked only by server/telemetry/"),
    (r"spdlog", r"^server/telemetry/", "spdlog is linked only by server/telemetry/"),
    (r"MICROHTTPD|GNUTLS", r"^server/http/", "libmicrohttpd and GnuTLS are linked only by server/http/"),
    (r"LIBEDIT", r"^client/cli/", "libedit is linked only by client/cli/"),
    (r"CLI11", r"^base/flags/", "CLI11 is linked only by base/flags/"),
    (r"CMARK_GFM", r"^(client/documents|tests)/", "cmark-gfm is linked only by client/documents/"),
    (r"HTTPLIB", r"^client/lib/", "cpp-httplib is linked only by client/lib/"),
    (r"OpenSSL", r"^server/(security/|sessions/|CMakeLists)",
     "OpenSSL is linked only by server/security/, server/sessions/ and server/"),
    (r"CLD2", r"^server/languages/", "CLD2 is linked only by server/languages/"),
    (r"HIREDIS", r"^server/sessions/", "hiredis is linked only by server/sessions/"),
    (r"SENTENCEPIECE", r"^models/text/", "SentencePiece is linked only by models/text/"),
)]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*(?:include|define[ \t]+HWY_TARGET_INCLUDE)[ \t]*([<"])([^>"]*)[>"]')
# 2.x makes a primitive_desc from an X::desc, 3.x has none; post-operations, scales and zero points are said in other
# ways. To hold a primitive_desc is the same in both.
ONEDNN_FORMS = re.compile(r"DNNL_VERSION|dnnl::[a-z_]+::desc|::primitive_desc([ \t]+[a-z_]+)?[({]|[.]append_eltwise\(|"
                          r"[.]set_(output_scales|scales_mask|scales|zero_points|zero_points_mask)\(")
DESIGN = "docs/design.md"
ROOTS = ("base", "files", "engine", "models", "server", "client")


def folder_of(path):
    """The folder of MAP that a file or header belongs to, "tests", "proto", or "" for a library's header."""
    if path.endswith(".pb.h"):
        return "proto"
    root = path.split("/")[0]
    if root == "tests":
        return root
    return os.path.dirname(path) if root in ROOTS and "/" in path else ""


class Check:
    def __init__(self):
        self.problems, self.taken, self.includes = [], set(), 0

    def problem(self, path, line, text):
        self.problems.append(f"{path}:{line}: {text}")

    def arrow(self, path, line, source, target, verb):
        if source == "tests" or source == target or not target or verb == "link" and (source, target) in LINKED:
            return
        if target == "tests" or target not in MAP.get(source, ("", ""))[1].split():
            self.problem(path, line, f"{source}/ may not {verb} {target}/")

    def source(self, path):
        folder = folder_of(path)
        if folder != "tests" and folder not in MAP:
            self.problem(path, 1, f"{folder}/ is not on the map")
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                include = INCLUDE.match(text)
                if include:
                    self.includes += 1
                    self.include(path, number, folder, include[1] == '"', include[2])
                elif path != "engine/linear/onednn.h":
                    code = text.split("//")[0].replace("memory::desc", "")
                    if ONEDNN_FORMS.search(code):
                        self.problem(path, number, "this form differs between oneDNN 2.x and 3.x: it belongs in "
                                     "engine/linear/onednn.h")

    def include(self, path, line, folder, quoted, target):
        beside = os.path.join(os.path.dirname(path), target)
        if target.startswith(("./", "../")) or quoted and os.path.exists(beside) and not os.path.exists(target):
            self.problem(path, line, f'"{target}": includes name their folder from the root of the tree')
            return
        for header, place, message in FENCES:
            if header.search(target) and not place.search(path):
                self.problem(path, line, f"<{target}>: {message}")
                return
        self.taken.add((folder, folder_of(target)))
        self.arrow(path, line, folder, folder_of(target), "include")

    def libraries(self, path):
        folder = os.path.dirname(path)
        by_library = {"heed_" + name.replace("/", "_"): name for name in MAP}
        by_library.update(heed_proto="proto", heed_messages="proto")
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                text = text.split("#")[0]
                for library in re.findall(r"\bheed_[a-z_]+\b", text):
                    target = by_library.get(library)
                    if target and folder != "proto" and folder in MAP:
                        self.arrow(path, number, folder, target, "link")
                for library, place, message in LINK_FENCES:
                    if re.search(library, text) and not place.search(path):
                        self.problem(path, number, message)

    def map(self):
        """The map is as small as the code, and has no circle."""
        for folder, (_, targets) in MAP.items():
            for target in targets.split():
                # base/ also passes on the libraries that everything uses.
                if os.path.isdir(folder) and target != "base" and (folder, target) not in self.taken:
                    self.problem("tests/layering/check_layering.py", 1,
                                 f"the map lets {folder}/ include {target}/, and nothing does")
        done = set()
        while len(done) < len(MAP):
            ready = [folder for folder in MAP if folder not in done and
                     all(target in done or target == "proto" for target in MAP[folder][1].split())]
            if not ready:
                self.problem("tests/layering/check_layering.py", 1,
                             "the map has a circle among " + ", ".join(sorted(set(MAP) - done)))
                return
            done.update(ready)


def markdown():
    rows = ["| folder | is | may use |", "| --- | --- | --- |"]
    for folder, (purpose, targets) in MAP.items():
        rows.append(f"| `{folder}/` | {purpose} | {' '.join(f'`{one}`' for one in targets.split())} |")
    return "\n".join(rows) + "\n"


def main():
    if sys.argv[1:] == ["--map"]:
        print(markdown(), end="")
        return 0
    if len(sys.argv) != 2:
        sys.exit("usage: check_layering.py TREE | --map")
    os.chdir(sys.argv[1])
    for root in ROOTS:
        if not os.path.isdir(root):
            print(f"layering: {os.getcwd()} has no folder {root}/", file=sys.stderr)
            return 2
    check = Check()
    for root in ("proto",) + ROOTS + ("tests",):
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if root != "proto" and name.endswith((".cc", ".h")):
                    check.source(path)
                elif root != "tests" and name == "CMakeLists.txt":
                    check.libraries(path)
    if check.includes == 0:
        print("layering: found no include at all", file=sys.stderr)
        return 2
    check.map()
    if os.path.exists(DESIGN):
        with open(DESIGN, encoding="utf-8") as file:
            if f"<!-- map: folders -->\n{markdown()}<!-- end of map -->\n" not in file.read():
                check.problem(DESIGN, 1, "its map of the folders is not what check_layering.py --map prints")
    for problem in check.problems:
        print(problem)
    if check.problems:
        print(f"layering: {len(check.problems)} problems")
        return 1
    print(f"layering: {check.includes} includes are as the map says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
