// SPDX-License-Identifier: Apache-2.0
// What requests do with sessions of texts: score behind them, generate from them, read into them; and these sessions on
// the wire.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/invalid_argument.h"
#include "heed/v1/language_modeling.pb.h"
#include "models/kinds/language_model.h"
#include "server/session_calls/session_parts.h"
#include "server/session_calls/session_work.h"

namespace heed {

// For StoreCall.
struct TextSessions {
  static constexpr ModelKind kKind = ModelKind::kLanguageModel;
  static v1::TextSession ToProto(const SessionParts& parts, const Session& session);
  static absl::StatusOr<std::shared_ptr<const State>> NewState(const StatefulModel& model,
                                                               const v1::OpenTextSessionRequest& request);
};

// RESOURCE_EXHAUSTED, about `field`: a session may not keep `state`, of `model`.
absl::Status CheckTextState(absl::string_view field, const LanguageModel& model, const State& state,
                            const SessionOptions& options);

// INVALID_ARGUMENT: a request on a session names another model, or another version of it. `Message`: with the fields
// model and model_version.
template <typename Message>
absl::Status CheckModelOf(const SessionParts& parts, const Session& session, const Message& message) {
  if (!message.model().empty() && message.model() != session.model_name) {
    return InvalidField("model", "is \"", message.model(), "\", but the session is of \"", session.model_name, "\"");
  }
  const int64_t version = parts.ModelVersionOf(session);
  if (message.model_version() == 0 || message.model_version() == version) return absl::OkStatus();
  return InvalidField("model_version", message.model_version(), ", but the session is of version ", version);
}

// What the three of them share. `Response`: of the method.
template <typename Response>
class TextWork : public SessionWork {
 public:
  ModelKind kind() const override { return ModelKind::kLanguageModel; }
  int64_t bytes() const override { return bytes_; }
  Response& response() override { return response_; }

 protected:
  // `parts` outlives it.
  TextWork(const SessionParts& parts, int64_t bytes) : parts_(parts), bytes_(bytes) {}

  const SessionParts& parts_;
  Response response_;
  std::string model_name_;
  const LanguageModel* model_ = nullptr;  // the job keeps it

 private:
  const int64_t bytes_;
};

// Score. The session stays as it is.
class ScoreWork : public TextWork<v1::ScoreResponse> {
 public:
  // `requests`: of `message`, which outlives this.
  ScoreWork(const SessionParts& parts, const v1::ScoreRequest& message, std::vector<ScoreRequest> requests)
      : TextWork(parts, static_cast<int64_t>(message.ByteSizeLong())),
        message_(message),
        requests_(std::move(requests)) {}

  bool changes() const override { return false; }
  absl::StatusOr<Tasks> Start(const StatefulModel& model, const Session& session, const StartLimits& limits) override;
  void OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) override;
  void Respond() override;
  void SetSession(const SessionParts& parts, const Session& session) override;

 private:
  const v1::ScoreRequest& message_;
  std::vector<ScoreRequest> requests_;
  std::vector<const ScoreTask*> tasks_;  // of the job
};

// Generate. The session goes on from it with `commit`.
class GenerateWork : public TextWork<v1::GenerateResponse> {
 public:
  // `message` outlives this.
  GenerateWork(const SessionParts& parts, const v1::GenerateRequest& message)
      : TextWork(parts, static_cast<int64_t>(message.ByteSizeLong())), message_(message) {}

  bool changes() const override { return message_.commit(); }
  absl::StatusOr<Tasks> Start(const StatefulModel& model, const Session& session, const StartLimits& limits) override;
  void OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) override;
  absl::StatusOr<std::shared_ptr<const State>> NextState() override;
  void Respond() override;
  void SetSession(const SessionParts& parts, const Session& session) override;
  void SetRepeated() override { response_.set_repeated_request(true); }

 private:
  const v1::GenerateRequest& message_;
  GenerateOptions options_;
  const GenerateTask* task_ = nullptr;  // of the job
};

// ReadText, and each part of a ReadTextStream.
class ReadWork : public TextWork<v1::ReadTextResponse> {
 public:
  // `stream_offset`: of the text's beginning in its stream.
  ReadWork(const SessionParts& parts, ScoreRequest request, int64_t stream_offset = 0)
      : TextWork(parts, static_cast<int64_t>(request.text.size())),
        request_(std::move(request)),
        stream_offset_(stream_offset) {}

  bool changes() const override { return true; }
  absl::StatusOr<Tasks> Start(const StatefulModel& model, const Session& session, const StartLimits& limits) override;
  void OnTaskDone(const Task& task, std::string_view model, Metrics& metrics) override;
  absl::StatusOr<std::shared_ptr<const State>> NextState() override;
  void Respond() override;
  void SetSession(const SessionParts& parts, const Session& session) override;
  void SetRepeated() override { response_.set_repeated_request(true); }

  // Once the exchange has ended well, and was not a repetition.
  const ScoreResult& result() const { return result_; }

 private:
  ScoreRequest request_;
  const int64_t stream_offset_;
  ScoreOptions options_;
  const ScoreTask* task_ = nullptr;  // of the job
  ScoreResult result_;               // without token scores and attention
};

}  // namespace heed
