// SPDX-License-Identifier: Apache-2.0
#include "server/security/authorization.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/excerpt.h"
#include "google/protobuf/descriptor.h"
#include "heed/v1/annotations.pb.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

struct MethodRight {
  absl::string_view path;
  Right right;
};

// Of services whose files are other people's, and stay as they are.
constexpr MethodRight kOtherMethods[] = {
    {"/grpc.health.v1.Health/Check", Right::kOpen},
    {"/grpc.health.v1.Health/Watch", Right::kOpen},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Right::kAny},
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

std::optional<Right> ToRight(v1::Right right) {
  switch (right) {
    case v1::RIGHT_OPEN:
      return Right::kOpen;
    case v1::RIGHT_ANY:
      return Right::kAny;
    case v1::RIGHT_INFER:
      return Right::kInfer;
    case v1::RIGHT_MANAGE:
      return Right::kManage;
    default:
      return std::nullopt;
  }
}

// "Bearer TOKEN"; the scheme's case does not matter (RFC 9110). Empty: it is of another scheme.
absl::string_view TokenOf(absl::string_view authorization) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return "";
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

}  // namespace

std::optional<Right> RightOf(absl::string_view path) {
  for (const MethodRight& method : kOtherMethods) {
    if (method.path == path) return method.right;
  }
  // "/heed.v1.ModelService/ListModels" is the method "heed.v1.ModelService.ListModels".
  if (!absl::ConsumePrefix(&path, "/")) return std::nullopt;
  const google::protobuf::MethodDescriptor* const method =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(absl::StrReplaceAll(path, {{"/", "."}}));
  return method == nullptr ? std::nullopt : ToRight(method->options().GetExtension(v1::right));
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

std::string Authorization::HolderOf(absl::string_view authorization, TimePoint now) const {
  if (tokens_ == nullptr) return "";
  const std::shared_ptr<const Tokens> tokens = tokens_->Get(now);  // owns the holder
  const TokenHolder* const holder = tokens->Find(TokenOf(authorization));
  return holder == nullptr ? "" : holder->name;
}

absl::StatusOr<std::shared_ptr<const Caller>> Authorization::CallerOf(std::optional<Right> right,
                                                                      std::optional<absl::string_view> authorization,
                                                                      TimePoint now) const {
  if (tokens_ == nullptr) return nullptr;
  std::shared_ptr<const Tokens> tokens = tokens_->Get(now);
  const TokenHolder* const holder = authorization ? tokens->Find(TokenOf(*authorization)) : nullptr;
  if (holder == nullptr) {
    if (right == Right::kOpen) return nullptr;
    metrics_.Add(Metric::kRejections, {"", "unauthenticated"});
    return absl::UnauthenticatedError("the metadata \"authorization\" holds no token of this server");
  }
  {
    MutexLock lock(mutex_);
    if (budgets_of_ != tokens) {
      budgets_.Keep([&tokens](absl::string_view name) { return tokens->HasHolder(name); });
      budgets_of_ = tokens;
    }
  }
  return std::make_shared<const Caller>(*this, std::move(tokens), *holder, right == Right::kInfer);
}

absl::Status Authorization::CheckModel(const TokenHolder& holder, absl::string_view model) const {
  if (holder.limits.models.Match(model)) return absl::OkStatus();
  metrics_.Add(Metric::kRejections, {"", "permission_denied"});
  return absl::PermissionDeniedError(
      absl::StrCat("model ", Quoted(model), ": ", holder.name, " may use models=", holder.limits.models.ToString()));
}

absl::Status Authorization::Take(const TokenHolder& holder, const TokenUse& use, TimePoint now) const {
  absl::Status status;
  {
    MutexLock lock(mutex_);
    status = budgets_.Take(holder.name, holder.limits, use, now);
  }
  if (!status.ok()) return CountRefusal(std::move(status));
  if (use.requests > 0) metrics_.Add(Metric::kTokenRequests, {holder.name}, static_cast<double>(use.requests));
  if (use.characters > 0) metrics_.Add(Metric::kTokenCharacters, {holder.name}, static_cast<double>(use.characters));
  return status;
}

void Authorization::GiveBack(const TokenHolder& holder, const TokenUse& use) const {
  MutexLock lock(mutex_);
  budgets_.GiveBack(holder.name, holder.limits, use);
}

absl::Status Authorization::CheckRoom(const TokenHolder& holder, TimePoint now) const {
  absl::Status status;
  {
    MutexLock lock(mutex_);
    status = budgets_.Check(holder.name, holder.limits, {.requests = 1}, now);
  }
  return status.ok() ? status : CountRefusal(std::move(status));
}

absl::Status Authorization::CountRefusal(absl::Status status) const {
  metrics_.Add(Metric::kRejections, {"", kTokenLimit});
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
