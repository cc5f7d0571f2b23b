// SPDX-License-Identifier: Apache-2.0
// A graph file, as clients send them and as the server keeps them: read, made a graph, written and read again.
#include <string>
#include <utility>

#include "engine/graph/graph.h"
#include "files/graph_file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_files.h"
#include "tests/fuzz/mutators.h"

namespace heed {
namespace {

void Run(absl::string_view input) {
  static InputFiles files;
  files.Set("graph.safetensors", input);
  absl::StatusOr<GraphFile> file = ReadGraphFile(files.File("graph.safetensors"));
  if (!file.ok()) return;
  int again = 0;
  for (GraphArrays& arrays : file->graphs) {
    HEED_FUZZ_EXPECT(CheckSizes(arrays).ok(), "a file's arrays");
    const absl::StatusOr<std::shared_ptr<const Graph>> graph = Graph::Build(std::move(arrays));
    if (!graph.ok()) continue;
    HEED_FUZZ_EXPECT((*graph)->bytes() >= 0, "a graph's bytes");
    if (++again > 2) continue;  // of a file with many graphs, the first ones will do
    const std::string path = files.File("written.safetensors");
    HEED_FUZZ_EXPECT(WriteGraphFile(path, (*graph)->ToArrays(), {{"version", "1"}}).ok(), "a graph is not written");
    absl::StatusOr<GraphFile> written = ReadGraphFile(path);
    HEED_FUZZ_EXPECT(written.ok() && written->graphs.size() == 1, "a graph's own file is not read");
    const auto same = Graph::Build(std::move(written->graphs.front()));
    HEED_FUZZ_EXPECT(same.ok(), "a graph's own file makes no graph");
    HEED_FUZZ_EXPECT((*same)->nodes() == (*graph)->nodes() && (*same)->edges() == (*graph)->edges() &&
                         (*same)->feature_values() == (*graph)->feature_values(),
                     "a graph's own file makes another graph");
  }
}

}  // namespace

HEED_FUZZ_TARGET(graph_file, Run, MutateSafetensors)

}  // namespace heed
