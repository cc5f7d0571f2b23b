#!/usr/bin/env bash
# Holds the map of the folders:  engine <- models <- server -> proto <- client
# The client also uses heed_files, the part of engine/ that reads and writes files and needs no kernels.
#
#   check_layering.sh TREE
#
# Fails, with path:line for each, on
#   - an include that points the other way, or out of heed_files into the rest of engine/;
#   - a fenced header outside its fence (the table below);
#   - a oneDNN call whose form differs between 2.x and 3.x outside engine/onednn.h;
#   - a folder's CMakeLists.txt that names the library of a folder above it, or a fenced library.
# tests/ may include everything, except dnnl.hpp itself. Tested by layering_selftest.sh.
set -euo pipefail
export LC_ALL=C
cd "${1:?usage: check_layering.sh TREE}"

folders=(engine models server client)
for folder in "${folders[@]}"; do
  [[ -d "$folder" ]] || { echo "layering: $PWD has no folder $folder/" >&2; exit 2; }
done
mapfile -t sources < <(find "${folders[@]}" tests -name '*.cc' -o -name '*.h' 2> /dev/null | sort)
((${#sources[@]} > 0)) || { echo "layering: $PWD has no sources" >&2; exit 2; }
mapfile -t lists < <(find proto "${folders[@]}" -name CMakeLists.txt 2> /dev/null | sort)

awk '
  BEGIN {
    # Whose headers, or libraries, a folder may use.
    split("engine: engine|models: engine models|server: engine models server proto|client: client proto|proto: proto",
          rows, "|")
    for (i in rows) {
      split(rows[i], row, ": ")
      may_use[row[1]] = " " row[2] " "
    }

    # heed_files: its headers, which client/ may include, and all that its own files may include of engine/.
    files = "^engine/(graph_arrays|graph_file|mapped_file|safetensors|safetensors_writer)\\."
    files_headers = "^engine/(graph_arrays|graph_file|mapped_file|nearest_name|safetensors|safetensors_writer|status_macros)\\.h$"
    files_may_use = "^engine/(graph_arrays|graph_file|mapped_file|safetensors|safetensors_writer|status_macros|float16|json)\\.h$"

    # Fences: what an include names, where it may stand, how to say so.
    Fence("^(oneapi/dnnl/.*|dnnl.*\\.(h|hpp))$", "^engine/onednn\\.h$", "oneDNN is included by engine/onednn.h alone")
    Fence("^engine/onednn\\.h$", "^(engine/[^/]*\\.cc|tests/.*)$", "engine/onednn.h is for engine/*.cc alone")
    Fence("^hwy/", "^(engine/[^/]*(\\.cc|-inl\\.h)|tests/.*)$", "Highway is for kernel files: engine/*.cc, engine/*-inl.h")
    Fence("^omp\\.h$", "^(engine|tests)/", "OpenMP is for engine/: oneDNN runs on the calling thread")
    Fence("^(grpc|grpcpp|google/protobuf)/|\\.pb\\.h$", "^(server|client|tests)/",
          "gRPC and protobuf are for server/ and client/")
    Fence("^prometheus/", "^(server/metrics\\.(h|cc)|tests/.*)$", "prometheus-cpp is for server/metrics.* alone")
    Fence("^spdlog/", "^(server/log\\.cc|tests/.*)$", "spdlog is for server/log.cc alone")
    Fence("^microhttpd", "^(server/http_endpoint\\.cc|tests/.*)$", "libmicrohttpd is for server/http_endpoint.cc alone")
    Fence("^(histedit\\.h|editline/)", "^(client/line_editor\\.cc|tests/.*)$", "libedit is for client/line_editor.cc alone")
    Fence("^httplib", "^(client/http_page\\.cc|tests/.*)$", "cpp-httplib is for client/http_page.cc alone")
    Fence("^openssl/", "^(server/(tokens|certificates|build_info)\\.cc|tests/.*)$",
          "OpenSSL is for server/tokens.cc, certificates.cc and build_info.cc alone")
    Fence("^zlib\\.h$", "^(server/message_inflation\\.cc|tests/.*)$", "zlib is for server/message_inflation.cc alone")
    Fence("^hiredis", "^(server/redis_connection\\.cc|tests/.*)$", "hiredis is for server/redis_connection.cc alone")
    Fence("^sentencepiece", "^(models/subwords\\.(h|cc)|tests/.*)$", "SentencePiece is for models/subwords.* alone")

    # The same for the libraries of a CMakeLists.txt.
    LinkFence("heed_files", "^(engine|client)/", "heed_files is linked by engine/ and client/ alone")
    LinkFence("heed_messages", "^(proto|server|client)/", "heed_messages is linked by proto/, server/ and client/ alone")
    LinkFence("heed_inputs", "^server/", "heed_inputs is linked by server/ alone")
    LinkFence("DNNL", "^engine/", "oneDNN is linked by engine/ alone")
    LinkFence("PkgConfig::HWY", "^engine/", "Highway is linked by engine/ alone")
    LinkFence("(gRPC|protobuf)::", "^(proto|server|client)/", "gRPC and protobuf are linked by proto/, server/ and client/")
    LinkFence("prometheus-cpp", "^server/", "prometheus-cpp is linked by server/ alone")
    LinkFence("spdlog", "^server/", "spdlog is linked by server/ alone")
    LinkFence("MICROHTTPD", "^server/", "libmicrohttpd is linked by server/ alone")
    LinkFence("LIBEDIT", "^client/", "libedit is linked by client/ alone")
    LinkFence("HTTPLIB", "^client/", "cpp-httplib is linked by client/ alone")
    LinkFence("OpenSSL", "^server/", "OpenSSL is linked by server/ alone")
    LinkFence("HIREDIS", "^server/", "hiredis is linked by server/ alone")
    LinkFence("SENTENCEPIECE", "^models/", "SentencePiece is linked by models/ alone")
  }

  function Fence(header, place, message) {
    fence_header[++fences] = header; fence_place[fences] = place; fence_message[fences] = message
  }
  function LinkFence(library, place, message) {
    link_library[++links] = library; link_place[links] = place; link_message[links] = message
  }
  function Problem(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message
    problems++
  }
  function Exists(path,    line, result) {
    result = (getline line < path) >= 0
    close(path)
    return result
  }
  function CheckInclude(target, quoted,    folder, layer, i) {
    folder = FILENAME
    sub(/\/.*/, "", folder)
    if (target ~ /^\.\.?\//) {
      Problem("\"" target "\": includes name their folder from the root of the tree")
      return
    }
    if (quoted && Exists(DirectoryOf(FILENAME) "/" target) && !Exists(target)) {
      Problem("\"" target "\": includes name their folder from the root of the tree")
      return
    }
    layer = target
    if (target ~ /\.pb\.h$/) layer = "proto"
    else sub(/\/.*/, "", layer)
    if (folder == "client" && target ~ files_headers) return
    if (FILENAME ~ files && layer == "engine" && target !~ files_may_use) {
      Problem("\"" target "\": this file is of heed_files, which knows nothing else of engine/")
      return
    }
    if (folder != "tests" && (layer == "tests" || layer in may_use) && index(may_use[folder], " " layer " ") == 0) {
      Problem("\"" target "\": " folder "/ may not know " layer "/")
      return
    }
    for (i = 1; i <= fences; i++)
      if (target ~ fence_header[i] && FILENAME !~ fence_place[i]) {
        Problem("<" target ">: " fence_message[i])
        return
      }
  }
  function DirectoryOf(path) {
    sub(/\/[^\/]*$/, "", path)
    return path
  }

  FILENAME ~ /CMakeLists\.txt$/ {
    sub(/#.*/, "")
    folder = FILENAME
    sub(/\/.*/, "", folder)
    rest = $0
    while (match(rest, /heed_(proto|engine|models|server|client)/)) {
      layer = substr(rest, RSTART + 5, RLENGTH - 5)
      rest = substr(rest, RSTART + RLENGTH)
      if (index(may_use[folder], " " layer " ") == 0) Problem("heed_" layer ": " folder "/ may not link " layer "/")
    }
    for (i = 1; i <= links; i++)
      if ($0 ~ link_library[i] && FILENAME !~ link_place[i]) Problem(link_message[i])
    next
  }

  # HWY_TARGET_INCLUDE names a file that Highway includes again for each target.
  /^[ \t]*#[ \t]*(include|define[ \t]+HWY_TARGET_INCLUDE)[ \t]*[<"]/ {
    includes++
    target = $0
    sub(/^[^<"]*/, "", target)
    quoted = substr(target, 1, 1) == "\""
    target = substr(target, 2)
    sub(/[>"].*/, "", target)
    CheckInclude(target, quoted)
    next
  }

  # 2.x makes a primitive_desc from an X::desc, 3.x has none; post-operations, scales and zero points are said in other
  # ways. To hold a primitive_desc is the same in both.
  FILENAME != "engine/onednn.h" {
    code = $0
    sub(/\/\/.*/, "", code)
    gsub(/memory::desc/, "", code)
    if (code ~ /DNNL_VERSION|dnnl::[a-z_]+::desc|::primitive_desc([ \t]+[a-z_]+)?[({]|[.]append_eltwise\(/ ||
        code ~ /[.]set_(output_scales|scales_mask|scales|zero_points|zero_points_mask)\(/)
      Problem("this form differs between oneDNN 2.x and 3.x: it belongs in engine/onednn.h")
  }

  END {
    if (includes == 0) { print "layering: found no include at all"; exit 2 }
    if (problems > 0) { printf "layering: %d problems\n", problems; exit 1 }
    printf "layering: %d includes are as the map says\n", includes
  }
' "${sources[@]}" ${lists[@]:+"${lists[@]}"}
