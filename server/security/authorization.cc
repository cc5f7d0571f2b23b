#include "server/security/authorization.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr MethodRight kMethodRights[] = {
    {"/grpc.health.v1.Health/Check", Right::kOpen},
    {"/grpc.health.v1.Health/Watch", Right::kOpen},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Right::kAny},
    {"/heed.v1.Graphs/ClassifyEdges", Right::kInfer},
    {"/heed.v1.Graphs/ClassifyGraphs", Right::kInfer},
    {"/heed.v1.Graphs/ClassifyNodes", Right::kInfer},
    {"/heed.v1.Graphs/DeleteGraph", Right::kManage},
    {"/heed.v1.Graphs/DescribeGraph", Right::kAny},
    {"/heed.v1.Graphs/PutGraph", Right::kManage},
    {"/heed.v1.Graphs/UpdateGraph", Right::kManage},
    {"/heed.v1.Models/List", Right::kAny},
    {"/heed.v1.Models/Load", Right::kManage},
    {"/heed.v1.Models/Unload", Right::kManage},
    {"/heed.v1.QuestionAnswering/Answer", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Ask", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Chat", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Close", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Export", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Fork", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Import", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Open", Right::kInfer},
    {"/heed.v1.QuestionAnswering/Tell", Right::kInfer},
    {"/heed.v1.Sequences/Run", Right::kInfer},
    {"/heed.v1.Translation/Translate", Right::kInfer},
    {"/heed.v1.Translation/TranslateStream", Right::kInfer},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", Right::kAny},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", Right::kAny},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", Right::kAny},
    {"/inference.GRPCInferenceService/LogSettings", Right::kAny},
    {"/inference.GRPCInferenceService/ModelConfig", Right::kAny},
    {"/inference.GRPCInferenceService/ModelInfer", Right::kInfer},
    {"/inference.GRPCInferenceService/ModelMetadata", Right::kAny},
    {"/inference.GRPCInferenceService/ModelReady", Right::kOpen},
    {"/inference.GRPCInferenceService/ModelStatistics", Right::kAny},
    {"/inference.GRPCInferenceService/ModelStreamInfer", Right::kInfer},
    {"/inference.GRPCInferenceService/RepositoryIndex", Right::kAny},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", Right::kManage},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", Right::kManage},
    {"/inference.GRPCInferenceService/ServerLive", Right::kOpen},
    {"/inference.GRPCInferenceService/ServerMetadata", Right::kAny},
    {"/inference.GRPCInferenceService/ServerReady", Right::kOpen},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", Right::kAny},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", Right::kAny},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", Right::kAny},
    {"/inference.GRPCInferenceService/TraceSetting", Right::kAny},
};

// "Bearer TOKEN"; the scheme's case does not matter (RFC 9110). Empty: it is of another scheme.
absl::string_view TokenOf(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return "";
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

}  // namespace

absl::Span<const MethodRight> MethodRights() { return kMethodRights; }

std::optional<Right> RightOf(absl::string_view path) {
  static const auto& rights = *[] {
    auto* map = new absl::flat_hash_map<absl::string_view, Right>;
    for (const MethodRight& method : kMethodRights) map->emplace(method.path, method.right);
    return map;
  }();
  const auto it = rights.find(path);
  if (it == rights.end()) return std::nullopt;
  return it->second;
}

absl::Status Authorization::Check(absl::string_view path, std::optional<absl::string_view> authorization,
                                  TimePoint now) const {
  absl::Status status = Decide(path, authorization, now);
  if (!status.ok()) {
    metrics_.Add(Metric::kRejections,
                 {"", status.code() == absl::StatusCode::kUnauthenticated ? "unauthenticated" : "permission_denied"});
  }
  return status;
}

absl::Status Authorization::Decide(absl::string_view path, std::optional<absl::string_view> authorization,
                                   TimePoint now) const {
  const std::optional<Right> known = RightOf(path);
  const Right right = known.value_or(Right::kManage);
  std::shared_ptr<const Tokens> tokens;  // owns the holder
  const TokenHolder* holder = nullptr;
  if (tokens_ != nullptr && right != Right::kOpen) {
    if (!authorization) {
      return absl::UnauthenticatedError("this server asks for a token: metadata \"authorization: Bearer TOKEN\"");
    }
    tokens = tokens_->Get(now);
    holder = tokens->Find(TokenOf(*authorization));
    if (holder == nullptr) {
      return absl::UnauthenticatedError("the metadata \"authorization\" holds no token of this server");
    }
  }
  if (known == Right::kManage && !management_) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": this server is not to be managed; it is if started with --management"));
  }
  if (holder == nullptr) return absl::OkStatus();
  if (right == Right::kInfer && !holder->infer) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": takes the right infer, which ", holder->name, " lacks"));
  }
  if (right == Right::kManage && !holder->manage) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": takes the right manage, which ", holder->name, " lacks"));
  }
  return absl::OkStatus();
}

}  // namespace heed
