// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/translation_workers.h"

#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/lib/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "tests/chaos/texts.h"

namespace heed::chaos {
namespace {

constexpr char kStream[] = "heed.v1.TranslationService/TranslateStream";

std::string Ended(const v1::TranslatedSentence& sentence) { return sentence.SerializeAsString(); }

}  // namespace

StreamAnswers LearnStreamAnswers(const std::shared_ptr<grpc::Channel>& channel, Ledger& ledger) {
  StreamAnswers answers;
  const auto stub = v1::TranslationService::NewStub(channel);
  for (int text = 0; text < static_cast<int>(Sentences().size()); ++text) {
    for (const int beam : {1, 4}) {
      v1::TranslateStreamRequest request;
      request.set_model(kTranslator);
      request.add_texts(Sentences()[static_cast<size_t>(text)]);
      request.mutable_options()->set_beam_size(beam);
      grpc::ClientContext context;
      ledger.Begin(kStream);
      const auto stream = stub->TranslateStream(&context, request);
      v1::TranslateStreamResponse event;
      while (stream->Read(&event)) {
        if (event.has_sentence()) answers[{text, beam}] = Ended(event.sentence());
      }
      const grpc::Status status = stream->Finish();
      ledger.End(kStream, status.error_code(), std::chrono::nanoseconds(0));
      if (!status.ok()) ledger.Fail(absl::StrCat("alone, ", kStream, ": ", client::StatusText(status)));
    }
  }
  return answers;
}

void StreamWorker::Step(const std::stop_token&) {
  v1::TranslateStreamRequest request;
  request.set_model(kTranslator);
  const int beam = Chance(0.3) ? 4 : 1;
  request.mutable_options()->set_beam_size(beam);
  std::vector<int> texts(static_cast<size_t>(Draw(1, 12)));
  for (int& text : texts) {
    text = Draw(0, static_cast<int>(Sentences().size()) - 1);
    request.add_texts(Sentences()[static_cast<size_t>(text)]);
  }
  const int cancel_after = Chance(0.15) ? Draw(0, 10) : -1;

  std::vector<std::string> deltas(texts.size());
  std::vector<int> ends(texts.size(), 0);
  const grpc::Status status = Call(kStream, {}, [&](grpc::ClientContext& context, bool& cancelled) {
    const auto stub = v1::TranslationService::NewStub(AnyChannel());
    const auto stream = stub->TranslateStream(&context, request);
    v1::TranslateStreamResponse event;
    for (int events = 0;; ++events) {
      if (events == cancel_after) {
        cancelled = true;
        context.TryCancel();
        world_.ledger.Count("streams cancelled");
      }
      if (!stream->Read(&event)) break;
      const auto text = static_cast<size_t>(event.text_index());
      if (text >= texts.size() || event.sentence_index() != 0 || event.sentence_count() != 1) {
        world_.ledger.Fail(absl::StrCat(kStream, ": an event of sentence ", event.sentence_index(), " of ",
                                        event.sentence_count(), " of text ", text, ", which is not there"));
        continue;
      }
      Check(ends[text] == 0, [] { return absl::StrCat(kStream, ": an event behind a sentence's last one"); });
      if (!event.has_sentence()) {
        deltas[text] += event.delta();
        continue;
      }
      ++ends[text];
      const std::string& said = event.sentence().hypotheses(0).text();
      Check(deltas[text].empty() || deltas[text] == said,
            [&] { return absl::StrCat(kStream, ": the parts '", deltas[text], "' do not make up '", said, "'"); });
      if (known_ == nullptr) continue;
      Check(Ended(event.sentence()) == known_->at({texts[text], beam}), [&] {
        return absl::StrCat(kStream, ": '", said, "' is not the answer that '", event.sentence().source(),
                            "' got alone");
      });
      world_.ledger.Count("answers compared");
    }
    return stream->Finish();
  });
  if (!status.ok()) return;
  for (size_t i = 0; i < texts.size(); ++i) {
    Check(ends[i] == 1, [&] {
      return absl::StrCat(kStream, ": ended with OK, and text ", i, " of ", texts.size(), " came ", ends[i], " times");
    });
  }
}

SlowReader::SlowReader(World& world, uint64_t seed)
    : Worker(world, seed), channel_([&] {
        grpc::ChannelArguments arguments;
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
        arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4096);
        arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
        return grpc::CreateCustomChannel(world.address, grpc::InsecureChannelCredentials(), arguments);
      }()) {}

void SlowReader::Step(const std::stop_token& stop) {
  v1::TranslateStreamRequest request;
  request.set_model(kTranslator);
  request.mutable_options()->set_beam_size(1);
  request.mutable_options()->set_return_attention(true);
  request.mutable_options()->set_return_tokens(true);
  for (int i = 0; i < 120; ++i) request.add_texts(Sentences()[static_cast<size_t>(i) % Sentences().size()]);
  const bool reads_on = Chance(0.5);
  world_.ledger.Count(reads_on ? "readers of a message a second" : "readers that stopped");
  Expected expected;
  expected.codes = {grpc::StatusCode::ABORTED, grpc::StatusCode::CANCELLED};
  expected.may_expire = false;
  size_t ended = 0;
  const grpc::Status status = Call(kStream, expected, [&](grpc::ClientContext& context) {
    const auto stub = v1::TranslationService::NewStub(channel_);
    const auto stream = stub->TranslateStream(&context, request);
    v1::TranslateStreamResponse event;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(reads_on ? 4 : 3);
    for (bool slow = true; stream->Read(&event);) {
      ended += event.has_sentence() ? 1 : 0;
      if (!slow) continue;
      Pause(stop, std::chrono::milliseconds(reads_on ? 1000 : 3000));
      slow = std::chrono::steady_clock::now() < patience && !stop.stop_requested();
    }
    return stream->Finish();
  });
  if (status.error_code() == grpc::StatusCode::ABORTED) world_.ledger.Count("slow readers that were told so");
  if (status.error_code() == grpc::StatusCode::CANCELLED) world_.ledger.Count("slow readers cut off");
  Check(!status.ok() || ended == static_cast<size_t>(request.texts_size()), [&] {
    return absl::StrCat(kStream, ": ended with OK for a slow reader, with ", ended, " of ", request.texts_size(),
                        " sentences");
  });
}

void BurstWorker::Step(const std::stop_token& stop) {
  struct One {
    grpc::ClientContext context;
    v1::TranslateResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::TranslateResponse>> reader;
  };
  constexpr char kMethod[] = "heed.v1.TranslationService/Translate";
  const auto stub = v1::TranslationService::NewStub(AnyChannel());
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<One>> calls;
  const Faults::Moment begun = world_.faults.Now();
  const auto start = std::chrono::steady_clock::now();
  v1::TranslateRequest request;
  request.set_model(kTranslator);
  request.add_texts(Sentences()[static_cast<size_t>(Draw(0, 7))]);
  request.mutable_options()->set_beam_size(1);
  for (int i = Draw(100, 200); i > 0; --i) {
    auto& one = calls.emplace_back(std::make_unique<One>());
    one->context.set_deadline(std::chrono::system_clock::now() + kLost);
    world_.ledger.Begin(kMethod);
    one->reader = stub->AsyncTranslate(&one->context, request, &queue);
    one->reader->Finish(&one->response, &one->status, one.get());
  }
  world_.ledger.Count("bursts");
  for (size_t i = 0; i < calls.size(); ++i) {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    const One& one = *static_cast<One*>(tag);
    world_.ledger.End(kMethod, one.status.error_code(), std::chrono::steady_clock::now() - start);
    Judge(kMethod, {}, begun, one.context, one.status);
  }
  Pause(stop, std::chrono::milliseconds(Draw(300, 1500)));
}

}  // namespace heed::chaos
