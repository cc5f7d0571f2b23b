#!/usr/bin/env bash
# Shows that check_layering.sh sees what it is there to see: a tree that keeps the map passes, and each violation, put
# into that tree alone, fails with its message.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cases=0

Write() {  # PATH LINE...
  mkdir -p "$tree/$(dirname "$1")"
  printf '%s\n' "${@:2}" > "$tree/$1"
}

LawfulTree() {
  rm -rf "${tree:?}"/*
  Write proto/CMakeLists.txt 'target_link_libraries(heed_proto PUBLIC gRPC::grpc++ protobuf::libprotobuf)'
  Write engine/CMakeLists.txt 'target_link_libraries(heed_engine PRIVATE ${DNNL_LIBRARY} PkgConfig::HWY)'
  Write models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC heed_engine PRIVATE PkgConfig::SENTENCEPIECE)'
  Write server/CMakeLists.txt \
    'target_link_libraries(heed_server PUBLIC heed_models heed_proto prometheus-cpp::core OpenSSL::SSL)  # not heed_client'
  Write client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC heed_proto heed_files gRPC::grpc++)'
  Write engine/onednn.h '#include <dnnl.hpp>' 'using Primitive = dnnl::matmul::primitive_desc;' \
    '#if DNNL_VERSION_MAJOR < 3'
  Write engine/linear.h '#include <vector>'
  Write engine/linear.cc '#include "engine/linear.h"' '#include "engine/onednn.h"' '#include <omp.h>' \
    'dnnl::memory::desc plain;  // dnnl::matmul::desc is elsewhere' 'dnnl::matmul::primitive_desc held;'
  Write engine/kernel.cc '#define HWY_TARGET_INCLUDE "engine/kernel.cc"' '#include "hwy/foreach_target.h"'
  Write engine/kernel-inl.h '#include "hwy/highway.h"'
  Write models/subwords.cc '#include <sentencepiece_processor.h>'
  Write models/text.h '#include "models/subwords.h"'
  Write models/marian.cc '#include "engine/linear.h"' '#include "models/text.h"'
  Write server/redis_connection.cc '#include "hiredis/hiredis.h"'
  Write server/metrics.cc '#include <prometheus/counter.h>'
  Write server/http_endpoint.cc '#include <microhttpd.h>'
  Write server/tokens.cc '#include "openssl/sha.h"'
  Write server/service.cc '#include "models/text.h"' '#include "engine/linear.h"' '#include "heed/v1/models.grpc.pb.h"' \
    '#include <grpcpp/grpcpp.h>'
  Write client/client.cc '#include "client/client.h"' '#include "heed/v1/models.grpc.pb.h"'
  Write client/http_page.cc '#include <httplib.h>'
  Write client/line_editor.cc '#include <histedit.h>'
  Write server/message_inflation.cc '#include <zlib.h>'
  Write client/graph.cc '#include "engine/graph_file.h"' '#include "engine/graph_arrays.h"' \
    '#include "engine/status_macros.h"' '#include "engine/safetensors.h"' '#include "engine/safetensors_writer.h"'
  Write engine/graph_file.cc '#include "engine/graph_file.h"' '#include "engine/float16.h"'
  Write client/client.h '#include <google/protobuf/message.h>'
  Write tests/server/a_test.cc '#include "server/metrics.h"' '#include "client/client.h"' '#include "hwy/highway.h"' \
    '#include "tests/support/fake.h"' '#include <prometheus/counter.h>' '#include "engine/onednn.h"'
}

# MESSAGE PATH LINE...: the lawful tree with this file must fail with one problem, at that path.
Violation() {
  local message=$1 path=$2 output code=0
  LawfulTree
  Write "${@:2}"
  output=$("$here/check_layering.sh" "$tree") || code=$?
  if ((code != 1)) || [[ "$output" != "$path:"*"$message"*"layering: 1 problems" ]]; then
    printf 'wanted 1 problem at %s: %s\ngot exit code %d: %s\n' "$path" "$message" "$code" "$output" >&2
    printf '  | %s\n' "${@:3}" >&2
    exit 1
  fi
  cases=$((cases + 1))
}

LawfulTree
"$here/check_layering.sh" "$tree" || { echo "the lawful tree must pass" >&2; exit 1; }

# Upward, one for each pair of the map.
for pair in engine:models engine:server engine:client models:server models:client server:client client:engine \
  client:models client:server engine:tests models:tests server:tests client:tests; do
  from=${pair%:*} to=${pair#*:}
  Violation "$from/ may not know $to/" "$from/up.cc" '#include <vector>' "#include \"$to/any.h\""
  Violation "$from/ may not know $to/" "$from/deep/up.h" "  #  include <$to/any.h>"
done
for from in engine models; do
  Violation "$from/ may not know proto/" "$from/up.cc" '#include "heed/v1/models.pb.h"'
done
Violation 'engine/ may not know models/' engine/up.cc '#define HWY_TARGET_INCLUDE "models/kernel.cc"'

# Ways around the map.
Violation 'name their folder' engine/up.cc '#include "../models/text.h"'
Violation 'name their folder' models/near.cc '#include "text.h"'

# The files that the client may read, and no more.
for header in graph.h linear.h graph_file.cc graph_file_cache.h float16.h; do
  Violation 'client/ may not know engine/' client/other.cc "#include \"engine/$header\""
done
Violation 'server/ may not know client/' server/other.cc '#include "client/engine/graph_file.h"'
Violation 'this file is of heed_files' engine/graph_file.cc '#include "engine/linear.h"'
Violation 'this file is of heed_files' engine/graph_arrays.h '#include "engine/graph.h"'

# Fences.
Violation 'engine/onednn.h alone' engine/other.cc '#include <dnnl.hpp>'
Violation 'engine/onednn.h alone' engine/other.cc '#include "oneapi/dnnl/dnnl.h"'
Violation 'engine/onednn.h alone' tests/bench/a.cc '#include "dnnl.hpp"'
Violation 'for engine/*.cc alone' engine/other.h '#include "engine/onednn.h"'
Violation 'for engine/*.cc alone' models/other.cc '#include "engine/onednn.h"'
Violation 'for kernel files' engine/other.h '#include <hwy/highway.h>'
Violation 'for kernel files' models/other.cc '#include "hwy/highway.h"'
Violation 'OpenMP is for engine/' models/other.cc '#include <omp.h>'
Violation 'gRPC and protobuf' models/other.cc '#include <grpcpp/grpcpp.h>'
Violation 'gRPC and protobuf' engine/other.cc '#include <google/protobuf/message.h>'
Violation 'gRPC and protobuf' engine/other.cc '#include <grpc/grpc.h>'
Violation 'server/metrics.* alone' server/service.h '#include <prometheus/counter.h>'
Violation 'server/metrics.* alone' models/other.cc '#include "prometheus/counter.h"'
Violation 'server/http_endpoint.cc alone' server/other.cc '#include <microhttpd.h>'
Violation 'server/http_endpoint.cc alone' server/http_endpoint.h '#include "microhttpd.h"'
Violation 'client/http_page.cc alone' client/other.cc '#include <httplib.h>'
Violation 'client/http_page.cc alone' server/other.cc '#include <httplib.h>'
Violation 'client/line_editor.cc alone' client/other.cc '#include <histedit.h>'
Violation 'zlib is for server/message_inflation.cc alone' server/other.cc '#include <zlib.h>'
Violation 'client/line_editor.cc alone' client/line_editor.h '#include <editline/readline.h>'
Violation 'spdlog is for server/log.cc alone' server/other.cc '#include "spdlog/spdlog.h"'
Violation 'OpenSSL is for server/tokens.cc' server/other.cc '#include <openssl/ssl.h>'
Violation 'OpenSSL is for server/tokens.cc' client/other.cc '#include "openssl/sha.h"'
Violation 'server/redis_connection.cc alone' server/other.cc '#include <hiredis/hiredis.h>'
Violation 'server/redis_connection.cc alone' server/redis_connection.h '#include "hiredis/hiredis.h"'
Violation 'models/subwords.* alone' models/other.cc '#include <sentencepiece_processor.h>'
Violation 'models/subwords.* alone' server/other.cc '#include "sentencepiece_trainer.h"'

# Forms that differ between oneDNN 2.x and 3.x.
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' '  dnnl::matmul::desc d(a, b, c);'
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' \
  '  auto p = dnnl::inner_product_forward::primitive_desc(d, engine);'
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' \
  '  dnnl::matmul::primitive_desc descriptor(d, attributes, engine);'
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' \
  '  operations.append_eltwise(1.0f, algorithm, 0, 0);'
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' '#if DNNL_VERSION_MAJOR >= 3'
Violation 'differs between oneDNN' engine/other.cc '#include "engine/onednn.h"' '  attr.set_output_scales(2, scales);'

# Libraries.
Violation 'engine/ may not link models/' engine/CMakeLists.txt 'target_link_libraries(heed_engine PUBLIC heed_models)'
Violation 'models/ may not link proto/' models/CMakeLists.txt 'target_link_libraries(' '  heed_models' '  PRIVATE heed_proto)'
Violation 'client/ may not link engine/' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC heed_engine)'
Violation 'linked by engine/ and client/ alone' models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC heed_files)'
Violation 'heed_messages is linked by' models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC heed_messages)'
Violation 'heed_inputs is linked by server/ alone' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC heed_inputs)'
Violation 'server/ may not link client/' server/CMakeLists.txt 'target_link_libraries(heed_server PUBLIC heed_client)'
Violation 'linked by proto/, server/ and client/' models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC gRPC::grpc++)'
Violation 'linked by models/ alone' server/CMakeLists.txt 'target_link_libraries(heed_server PUBLIC PkgConfig::SENTENCEPIECE)'
Violation 'linked by server/ alone' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC prometheus-cpp::core)'
Violation 'libmicrohttpd is linked by server/ alone' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC PkgConfig::MICROHTTPD)'
Violation 'cpp-httplib is linked by client/ alone' server/CMakeLists.txt 'target_link_libraries(heed_server PUBLIC PkgConfig::HTTPLIB)'
Violation 'libedit is linked by client/ alone' server/CMakeLists.txt 'target_link_libraries(heed_server PUBLIC PkgConfig::LIBEDIT)'
Violation 'spdlog is linked by server/ alone' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC spdlog::spdlog)'
Violation 'OpenSSL is linked by server/ alone' client/CMakeLists.txt 'target_link_libraries(heed_client PUBLIC OpenSSL::SSL)'
Violation 'hiredis is linked by server/ alone' models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC PkgConfig::HIREDIS)'
Violation 'linked by engine/ alone' models/CMakeLists.txt 'target_link_libraries(heed_models PUBLIC ${DNNL_LIBRARY})'

# Nothing to look at is not a pass.
rm -rf "${tree:?}"/*
if "$here/check_layering.sh" "$tree" > /dev/null 2>&1; then
  echo "an empty tree must fail" >&2
  exit 1
fi
echo "layering_selftest: $cases violations are seen"
