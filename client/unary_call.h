// The calls that take one request and give one answer, by the type of the request.
#pragma once

#include "heed/v1/graphs.grpc.pb.h"
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

}  // namespace heed::client
