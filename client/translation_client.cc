#include "client/translation_client.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "grpcpp/client_context.h"

namespace heed::client {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Runs `call` with a fresh context until it succeeds or its error is final. `call` returns its status, and clears
// `may_retry` once it gave something out.
grpc::Status Retry(const CallOptions& options,
                   const std::function<grpc::Status(grpc::ClientContext&, bool& may_retry)>& call) {
  const auto deadline = std::chrono::system_clock::now() + options.deadline;
  const bool limited = options.deadline.count() > 0;
  Backoff backoff(options.retry, std::random_device{}());
  std::optional<SteadyClock::time_point> first_failure;
  bool may_retry = true;
  while (true) {
    grpc::ClientContext context;
    if (limited) context.set_deadline(deadline);
    grpc::Status status;
    {
      const std::stop_callback cancel(options.stop, [&context] { context.TryCancel(); });
      status = call(context, may_retry);
    }
    if (status.ok() || !may_retry || options.stop.stop_requested()) return status;
    const SteadyClock::time_point now = SteadyClock::now();
    if (!first_failure) first_failure = now;
    const auto delay = backoff.Next(status, std::chrono::duration_cast<std::chrono::milliseconds>(now - *first_failure),
                                    RetryHint(context));
    if (!delay || (limited && std::chrono::system_clock::now() + *delay >= deadline)) return status;
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, options.stop, *delay, [] { return false; });
    if (options.stop.stop_requested()) return grpc::Status(grpc::StatusCode::CANCELLED, "interrupted");
  }
}

}  // namespace

TranslationClient::TranslationClient(const std::shared_ptr<grpc::Channel>& channel, CallOptions options)
    : options_(std::move(options)),
      translation_(v1::Translation::NewStub(channel)),
      models_(v1::Models::NewStub(channel)) {}

grpc::Status TranslationClient::Translate(const v1::TranslateRequest& request, v1::TranslateResponse& response) const {
  return Retry(options_, [&](grpc::ClientContext& context, bool&) {
    return translation_->Translate(&context, request, &response);
  });
}

grpc::Status TranslationClient::TranslateStream(
    const v1::TranslateRequest& request,
    const std::function<bool(const v1::TranslateStreamResponse&)>& on_event) const {
  return Retry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    const auto reader = translation_->TranslateStream(&context, request);
    v1::TranslateStreamResponse event;
    bool wanted = true;
    while (wanted && reader->Read(&event)) {
      may_retry = false;
      wanted = on_event(event);
    }
    if (!wanted) context.TryCancel();
    return reader->Finish();
  });
}

grpc::Status TranslationClient::ListModels(v1::ListModelsResponse& response) const {
  return Retry(options_, [&](grpc::ClientContext& context, bool& may_retry) {
    may_retry = false;
    return models_->List(&context, v1::ListModelsRequest(), &response);
  });
}

}  // namespace heed::client
