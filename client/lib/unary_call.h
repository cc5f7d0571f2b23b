// SPDX-License-Identifier: Apache-2.0
// The calls that take one request and give one answer, by the type of the request.
#pragma once

#include "heed/v1/graphs.grpc.pb.h"
#include "heed/v1/language_modeling.grpc.pb.h"
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
  using Stub = v1::TranslationService::Stub;
  static constexpr auto kCall = &Stub::Translate;
  static constexpr auto kAsyncCall = &Stub::AsyncTranslate;
};

template <>
struct UnaryCall<v1::ClassifyNodesRequest> {
  using Response = v1::ClassifyNodesResponse;
  using Stub = v1::GraphService::Stub;
  static constexpr auto kCall = &Stub::ClassifyNodes;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyNodes;
};

template <>
struct UnaryCall<v1::ClassifyEdgesRequest> {
  using Response = v1::ClassifyEdgesResponse;
  using Stub = v1::GraphService::Stub;
  static constexpr auto kCall = &Stub::ClassifyEdges;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyEdges;
};

template <>
struct UnaryCall<v1::ClassifyGraphsRequest> {
  using Response = v1::ClassifyGraphsResponse;
  using Stub = v1::GraphService::Stub;
  static constexpr auto kCall = &Stub::ClassifyGraphs;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyGraphs;
};

template <>
struct UnaryCall<v1::AnswerRequest> {
  using Response = v1::AnswerResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::Answer;
  static constexpr auto kAsyncCall = &Stub::AsyncAnswer;
};

template <>
struct UnaryCall<v1::OpenSessionRequest> {
  using Response = v1::OpenSessionResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::OpenSession;
  static constexpr auto kAsyncCall = &Stub::AsyncOpenSession;
};

template <>
struct UnaryCall<v1::TellRequest> {
  using Response = v1::TellResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::Tell;
  static constexpr auto kAsyncCall = &Stub::AsyncTell;
};

template <>
struct UnaryCall<v1::AskRequest> {
  using Response = v1::AskResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::Ask;
  static constexpr auto kAsyncCall = &Stub::AsyncAsk;
};

template <>
struct UnaryCall<v1::ForkSessionRequest> {
  using Response = v1::ForkSessionResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::ForkSession;
  static constexpr auto kAsyncCall = &Stub::AsyncForkSession;
};

template <>
struct UnaryCall<v1::CloseSessionRequest> {
  using Response = v1::CloseSessionResponse;
  using Stub = v1::QuestionAnsweringService::Stub;
  static constexpr auto kCall = &Stub::CloseSession;
  static constexpr auto kAsyncCall = &Stub::AsyncCloseSession;
};

template <>
struct UnaryCall<v1::RunSequenceRequest> {
  using Response = v1::RunSequenceResponse;
  using Stub = v1::SequenceService::Stub;
  static constexpr auto kCall = &Stub::RunSequence;
  static constexpr auto kAsyncCall = &Stub::AsyncRunSequence;
};

template <>
struct UnaryCall<v1::ScoreRequest> {
  using Response = v1::ScoreResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::Score;
  static constexpr auto kAsyncCall = &Stub::AsyncScore;
};

template <>
struct UnaryCall<v1::GenerateRequest> {
  using Response = v1::GenerateResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::Generate;
  static constexpr auto kAsyncCall = &Stub::AsyncGenerate;
};

template <>
struct UnaryCall<v1::FillInRequest> {
  using Response = v1::FillInResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::FillIn;
  static constexpr auto kAsyncCall = &Stub::AsyncFillIn;
};

template <>
struct UnaryCall<v1::ClassifyTextsRequest> {
  using Response = v1::ClassifyTextsResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::ClassifyTexts;
  static constexpr auto kAsyncCall = &Stub::AsyncClassifyTexts;
};

template <>
struct UnaryCall<v1::TagTextsRequest> {
  using Response = v1::TagTextsResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::TagTexts;
  static constexpr auto kAsyncCall = &Stub::AsyncTagTexts;
};

template <>
struct UnaryCall<v1::AnswerFromTextRequest> {
  using Response = v1::AnswerFromTextResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::AnswerFromText;
  static constexpr auto kAsyncCall = &Stub::AsyncAnswerFromText;
};

template <>
struct UnaryCall<v1::EmbedTextsRequest> {
  using Response = v1::EmbedTextsResponse;
  using Stub = v1::LanguageModelingService::Stub;
  static constexpr auto kCall = &Stub::EmbedTexts;
  static constexpr auto kAsyncCall = &Stub::AsyncEmbedTexts;
};

}  // namespace heed::client
