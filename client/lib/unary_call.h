// The calls that take one request and give one answer, by the type of the request.
#pragma once

#include "heed/v1/graphs.grpc.pb.h"
#include "heed/v1/questions.grpc.pb.h"
#include "heed/v1/sequences.grpc.pb.h"
#include "heed/v1/translation.grpc.pb.h"

namespace heed::client {

// Response and Stub; kCall and kAsyncCall are the stub's methods.
template <typename Request>
struct UnaryCall;

template <>
struct UnaryCall<v1::TranslateRequest> {
  using Response = v1::TranslateResponse;
  using Stub = v1::Translation::Stub;
  static constexpr auto kCall = &Stub::Translate;
  static constexpr auto kAsyncCall = &Stub::AsyncTranslate;
};

template <>
struct UnaryCall<v1::ClassifyNodesRequest> {
  using Response = v1::ClassifyNodesResponse;
  using Stub = v1::Graphs::Stub;
  static constexpr auto kCall = &Stub::ClassifyNodes;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyNodes;
};

template <>
struct UnaryCall<v1::ClassifyEdgesRequest> {
  using Response = v1::ClassifyEdgesResponse;
  using Stub = v1::Graphs::Stub;
  static constexpr auto kCall = &Stub::ClassifyEdges;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyEdges;
};

template <>
struct UnaryCall<v1::ClassifyGraphsRequest> {
  using Response = v1::ClassifyGraphsResponse;
  using Stub = v1::Graphs::Stub;
  static constexpr auto kCall = &Stub::ClassifyGraphs;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyGraphs;
};

template <>
struct UnaryCall<v1::AnswerRequest> {
  using Response = v1::AnswerResponse;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Answer;
  static constexpr auto kAsyncCall = &Stub::AsyncAnswer;
};

template <>
struct UnaryCall<v1::OpenRequest> {
  using Response = v1::Session;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Open;
  static constexpr auto kAsyncCall = &Stub::AsyncOpen;
};

template <>
struct UnaryCall<v1::TellRequest> {
  using Response = v1::TellResponse;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Tell;
  static constexpr auto kAsyncCall = &Stub::AsyncTell;
};

template <>
struct UnaryCall<v1::AskRequest> {
  using Response = v1::AskResponse;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Ask;
  static constexpr auto kAsyncCall = &Stub::AsyncAsk;
};

template <>
struct UnaryCall<v1::ForkRequest> {
  using Response = v1::Session;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Fork;
  static constexpr auto kAsyncCall = &Stub::AsyncFork;
};

template <>
struct UnaryCall<v1::CloseRequest> {
  using Response = v1::CloseResponse;
  using Stub = v1::QuestionAnswering::Stub;
  static constexpr auto kCall = &Stub::Close;
  static constexpr auto kAsyncCall = &Stub::AsyncClose;
};

template <>
struct UnaryCall<v1::RunRequest> {
  using Response = v1::RunResponse;
  using Stub = v1::Sequences::Stub;
  static constexpr auto kCall = &Stub::Run;
  static constexpr auto kAsyncCall = &Stub::AsyncRun;
};

}  // namespace heed::client
