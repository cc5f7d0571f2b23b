// SPDX-License-Identifier: Apache-2.0
// A collector of traces in this process, over a real socket, that keeps what it gets and fails when it is told to.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"

namespace heed {

// Thread-safe.
class FakeCollector : public opentelemetry::proto::collector::trace::v1::TraceService::Service {
 public:
  using Request = opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
  using Response = opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse;
  using Span = opentelemetry::proto::trace::v1::Span;

  explicit FakeCollector(
      const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeCollector() override {
    {
      MutexLock lock(mutex_);
      held_ = false;
      changed_.NotifyAll();
    }
    server_->Shutdown();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  // The next calls end so, before others are taken.
  void Answer(const grpc::Status& status) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    answers_.push_back(status);
  }
  // So many spans of the next request are refused.
  void Reject(int64_t spans) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    rejected_ = spans;
  }
  // Calls wait until this goes.
  void Hold() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    held_ = true;
  }

  void WaitForCalls(int calls) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (calls_ < calls) changed_.Wait(mutex_);
  }
  // Waits until there are `count`. All that there are then, in the order in which they came.
  std::vector<Span> WaitForSpans(size_t count) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (spans_.size() < count) changed_.Wait(mutex_);
    return spans_;
  }
  // Waits until there is one from a server of this name and, with it, its children: those are exported together.
  std::vector<Span> WaitForServerSpan(const std::string& name) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (true) {
      for (const Span& span : spans_) {
        if (span.kind() == Span::SPAN_KIND_SERVER && span.name() == name) return spans_;
      }
      changed_.Wait(mutex_);
    }
  }
  std::vector<Request> requests() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return requests_;
  }

 private:
  grpc::Status Export(grpc::ServerContext*, const Request* request, Response* response) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ++calls_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    if (!answers_.empty()) {
      const grpc::Status answer = answers_.front();
      answers_.pop_front();
      if (!answer.ok()) return answer;
    }
    if (rejected_ > 0) {
      response->mutable_partial_success()->set_rejected_spans(std::exchange(rejected_, 0));
      response->mutable_partial_success()->set_error_message("no room");
    }
    requests_.push_back(*request);
    for (const auto& of_resource : request->resource_spans()) {
      for (const auto& scope : of_resource.scope_spans()) {
        spans_.insert(spans_.end(), scope.spans().begin(), scope.spans().end());
      }
    }
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<grpc::Status> answers_ GUARDED_BY(mutex_);
  int64_t rejected_ GUARDED_BY(mutex_) = 0;
  bool held_ GUARDED_BY(mutex_) = false;
  int calls_ GUARDED_BY(mutex_) = 0;
  std::vector<Request> requests_ GUARDED_BY(mutex_);
  std::vector<Span> spans_ GUARDED_BY(mutex_);
};

// By key, as text.
template <typename Message>
std::map<std::string, std::string> AttributesOf(const Message& message) {
  std::map<std::string, std::string> attributes;
  for (const auto& attribute : message.attributes()) {
    const auto& value = attribute.value();
    const bool added = attributes
                           .emplace(attribute.key(), value.has_string_value() ? value.string_value()
                                                     : value.has_int_value()  ? absl::StrCat(value.int_value())
                                                                              : absl::StrCat(value.double_value()))
                           .second;
    EXPECT_TRUE(added) << attribute.key() << " is there twice";
  }
  return attributes;
}

}  // namespace heed
