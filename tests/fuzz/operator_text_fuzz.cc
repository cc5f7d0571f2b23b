// SPDX-License-Identifier: Apache-2.0
// Texts that operators and callers give the server: command lines (with --model_limits and --model_versions),
// configuration files, token files, version numbers, priorities, trace contexts.
//
// Input: a byte that says which; then the text. A command line's arguments are its lines.
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/excerpt.h"
#include "server/options/flags.h"
#include "server/registry/version_policy.h"
#include "server/scheduling/priority.h"
#include "server/security/tokens.h"
#include "server/telemetry/log.h"
#include "server/telemetry/trace_context.h"
#include "tests/fuzz/fuzz_target.h"

namespace heed {
namespace {

void RunCommandLine(absl::string_view text) {
  const std::vector<absl::string_view> arguments = absl::StrSplit(text, '\n', absl::SkipEmpty());
  const absl::StatusOr<CommandLine> line = ParseCommandLine(arguments);
  if (!line.ok()) return;
  for (const auto& [model, limits] : line->options.model_limits) OptionsOf(model, line->options);
}

void RunConfig(absl::string_view text) {
  ServerOptions options;
  FlagTable flags;
  AddServerFlags(options, flags);
  flags.ParseConfig("heed.toml", std::string(text)).IgnoreError();
}

void RunTokens(absl::string_view text) {
  const absl::StatusOr<Tokens> tokens = Tokens::Parse(text);
  if (!tokens.ok()) return;
  HEED_FUZZ_EXPECT(tokens->size() > 0, "a token file without tokens");
  for (const absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty())) {
    if (const TokenHolder* holder = tokens->Find(word)) {
      HEED_FUZZ_EXPECT(holder->infer || holder->manage, "a token without rights");
    }
  }
}

void RunPolicies(absl::string_view text) {
  const absl::StatusOr<VersionPolicies> policies = VersionPolicies::Parse(text);
  if (!policies.ok()) return;
  const int64_t found[] = {1, 2, 7};
  const auto chosen = policies->Of("model").Choose(found);
  HEED_FUZZ_EXPECT(!chosen.ok() || !chosen->empty(), "a policy that serves nothing");
}

void Run(absl::string_view input) {
  if (input.empty()) return;
  const auto selector = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  switch (selector % 5) {
    case 0:
      return RunCommandLine(input);
    case 1:
      return RunTokens(input);
    case 2:
      return RunPolicies(input);
    case 4:
      return RunConfig(input);
    default:
      ParsePriority("heed-priority", input).IgnoreError();
      ParseVersion(input).IgnoreError();
      if (const auto parent = ParseTraceparent(input)) {
        HEED_FUZZ_EXPECT(parent->trace_id.size() == 32 && parent->parent_id.size() == 16, "a traceparent");
      }
      if (const auto id = ParseRequestId(input)) HEED_FUZZ_EXPECT(id->size() <= kLongestRequestId, "a request's name");
      LogText(LogFormat::kLogfmt, "event", {{"text", input}});
      HEED_FUZZ_EXPECT(LogText(LogFormat::kJson, "event", {{"text", input}}).find('\n') == std::string::npos, "a line");
      HEED_FUZZ_EXPECT(Excerpt(input, 32).size() < 200, "an excerpt");
  }
}

}  // namespace

HEED_FUZZ_TARGET(operator_text, Run, nullptr)

}  // namespace heed
