// SPDX-License-Identifier: Apache-2.0
// heed.v1.LanguageModelingService without models, for the client's tests. A token is a word; its log-probability is
// minus its number of letters, and the first of a text has none. A text goes on with the word "more", once for each
// token to produce. Sessions count words.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "heed/v1/language_modeling.grpc.pb.h"

namespace heed::client {

class FakeTexts : public v1::LanguageModelingService::Service {
 public:
  // Of a text that is "bad", and of sessions that there are not.
  grpc::Status failure = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "items[0].text is bad");
  // Of every call, if not OK.
  grpc::Status refusal;
  // Changes each answer before it is sent.
  std::function<void(v1::TextScore&)> edit_score;
  std::function<void(v1::GeneratedText&)> edit_generated;
  // In place of the labels that texts and words have. Empty: those.
  std::string label;

  // The last that came. Read between requests alone.
  v1::ScoreRequest last_score;
  v1::GenerateRequest last_generate;
  v1::GenerateStreamRequest last_stream;
  v1::OpenTextSessionRequest last_open;
  v1::FillInRequest last_fill;
  v1::ClassifyTextsRequest last_classify;
  v1::TagTextsRequest last_tag;
  v1::AnswerFromTextRequest last_answer;
  v1::EmbedTextsRequest last_embed;
  std::vector<v1::ReadTextStreamRequest> stream_messages;

  static v1::TextScore ScoreOf(const std::string& text, const v1::ScoreOptions& options, bool begins) {
    v1::TextScore score;
    int64_t end = 0;
    for (const absl::string_view part : absl::StrSplit(text, absl::ByAnyChar(" \n\t"), absl::SkipEmpty())) {
      const std::string word(part);
      const auto start = static_cast<int64_t>(text.find(word, static_cast<size_t>(end)));
      end = start + static_cast<int64_t>(word.size());
      score.set_words(score.words() + 1);
      v1::TokenScore token;
      token.set_token("\u2581" + word);
      token.set_start(start);
      token.set_end(end);
      token.set_unknown(absl::StartsWith(word, "x"));
      if (token.unknown()) {
        score.add_unknown_words(word);
        score.set_unknown_tokens(score.unknown_tokens() + 1);
      }
      if (!begins) {
        token.set_log_probability(-static_cast<float>(word.size()));
        token.set_rank(static_cast<int64_t>(word.size()));
        score.set_tokens(score.tokens() + 1);
        score.set_log_probability(score.log_probability() - static_cast<double>(word.size()));
        for (int i = 0; i < options.top_k(); ++i) {
          v1::TokenAlternative& other = *token.add_top();
          other.set_token(absl::StrCat("\u2581w", i));
          other.set_log_probability(-0.5f);
        }
      }
      begins = false;
      if (options.return_tokens()) *score.add_token_scores() = token;
    }
    score.set_bytes(static_cast<int64_t>(text.size()));
    if (score.tokens() > 0) {
      score.set_perplexity(std::exp(-score.log_probability() / static_cast<double>(score.tokens())));
      score.set_bits_per_byte(-score.log_probability() / std::log(2.0) / static_cast<double>(text.size()));
    }
    if (options.return_attention()) {
      v1::TextAttention& attention = *score.mutable_attention();
      attention.set_row_count(score.token_scores_size());
      attention.set_column_count(score.token_scores_size() + 1);
      for (const v1::TokenScore& token : score.token_scores()) attention.add_column_tokens(token.token());
      for (int row = 0; row < attention.row_count(); ++row) {
        for (int column = 0; column < attention.column_count(); ++column) {
          attention.add_weights(row + 1 == column ? 1.0f : 0.0f);
        }
      }
    }
    return score;
  }

  grpc::Status Score(grpc::ServerContext*, const v1::ScoreRequest* request, v1::ScoreResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_score = *request;
    if (!refusal.ok()) return refusal;
    for (const v1::ScoreRequest::Item& item : request->items()) {
      if (item.text() == "bad") return failure;
      const bool begins = item.context().empty() && request->session().empty() &&
                          request->options().begin() != v1::ScoreOptions::BEGIN_END_OF_TEXT;
      *response->add_scores() = ScoreOf(item.text(), request->options(), begins);
      if (edit_score) edit_score(*response->mutable_scores(response->scores_size() - 1));
    }
    response->set_model(request->model());
    return grpc::Status::OK;
  }

  v1::GenerateResponse Continue(const v1::GenerateOptions& options) {
    v1::GenerateResponse response;
    for (int i = 0; i < (options.has_n() ? options.n() : 1); ++i) {
      v1::GeneratedText& text = *response.add_texts();
      for (int token = 0; token < (options.has_max_tokens() ? options.max_tokens() : 2); ++token) {
        absl::StrAppend(text.mutable_text(), token == 0 ? " more" : "\nmore");
      }
      text.set_finish_reason(v1::TEXT_FINISH_REASON_LENGTH);
      text.set_log_probability(-4);
      text.set_token_count(2);
      if (options.return_tokens()) *text.mutable_tokens() = ScoreOf(text.text(), {}, false).token_scores();
      if (edit_generated) edit_generated(text);
    }
    response.set_prompt_token_count(3);
    response.add_unknown_words("xylo");
    return response;
  }

  grpc::Status Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                        v1::GenerateResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_generate = *request;
    if (!refusal.ok()) return refusal;
    if (request->prompt() == "bad") return failure;
    *response = Continue(request->options());
    response->set_model(request->model());
    if (!request->session().empty()) {
      v1::TextSession& session = sessions_[request->session()];
      if (request->commit()) session.set_version(session.version() + 1);
      *response->mutable_session() = session;
    }
    return grpc::Status::OK;
  }

  grpc::Status GenerateStream(grpc::ServerContext*, const v1::GenerateStreamRequest* request,
                              grpc::ServerWriter<v1::GenerateStreamResponse>* writer) override {
    const std::lock_guard lock(mutex_);
    last_stream = *request;
    if (!refusal.ok()) return refusal;
    if (request->prompt() == "bad") return failure;
    const v1::GenerateResponse whole = Continue(request->options());
    v1::GenerateStreamResponse event;
    // In two parts.
    const std::string& text = whole.texts(0).text();
    const size_t cut = std::min(text.find_first_of(" \n", 1), text.size());
    for (const std::string& part : {text.substr(0, cut), text.substr(cut)}) {
      event.set_delta(part);
      writer->Write(event);
    }
    *event.mutable_result() = whole;
    writer->Write(event);
    return grpc::Status::OK;
  }

  grpc::Status FillIn(grpc::ServerContext*, const v1::FillInRequest* request, v1::FillInResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_fill = *request;
    if (!refusal.ok()) return refusal;
    const std::string marker = request->marker().empty() ? "<mask>" : request->marker();
    for (const v1::FillInRequest::Text& text : request->texts()) {
      v1::FillInResponse::Text& answer = *response->add_texts();
      answer.set_filled_text(text.text());
      size_t found = 0;
      while ((found = answer.filled_text().find(marker)) != std::string::npos) {
        answer.mutable_filled_text()->replace(found, marker.size(), "cat");
        v1::FillInResponse::Gap& gap = *answer.add_gaps();
        for (const char* word : {"cat", "dog"}) {
          v1::FillInResponse::Filling& filling = *gap.add_top();
          filling.set_text(word);
          filling.add_tokens(absl::StrCat("\u2581", word));
          filling.set_log_probability(std::log(gap.top_size() == 1 ? 0.75f : 0.25f));
        }
        answer.set_log_probability(answer.log_probability() + std::log(0.75));
      }
      if (answer.gaps_size() == 0) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "texts[0] has no gap");
    }
    return grpc::Status::OK;
  }

  // "positive" if the text has the word "good".
  grpc::Status ClassifyTexts(grpc::ServerContext*, const v1::ClassifyTextsRequest* request,
                             v1::ClassifyTextsResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_classify = *request;
    if (!refusal.ok()) return refusal;
    for (const v1::ClassifyTextsRequest::Item& item : request->items()) {
      if (item.text() == "bad") return failure;
      v1::ClassifyTextsResponse::Item& answer = *response->add_items();
      const bool good = absl::StrContains(item.text(), "good");
      for (const bool positive : {good, !good}) {
        if (request->has_top_k() && request->top_k() == 1 && answer.labels_size() == 1) break;
        v1::ClassifyTextsResponse::Label& entry = *answer.add_labels();
        entry.set_label(!label.empty() ? label : positive ? "positive" : "negative");
        entry.set_score(answer.labels_size() == 1 ? 0.75f : 0.25f);
      }
      answer.set_token_count(4);
    }
    return grpc::Status::OK;
  }

  // A word that begins with a capital letter is a name.
  grpc::Status TagTexts(grpc::ServerContext*, const v1::TagTextsRequest* request,
                        v1::TagTextsResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_tag = *request;
    if (!refusal.ok()) return refusal;
    for (const std::string& text : request->texts()) {
      v1::TagTextsResponse::Text& answer = *response->add_texts();
      v1::ScoreOptions options;
      options.set_return_tokens(true);
      const v1::TextScore score = ScoreOf(text, options, true);
      for (const v1::TokenScore& token : score.token_scores()) {
        v1::TagTextsResponse::Word& word = *answer.add_words();
        word.set_word(
            text.substr(static_cast<size_t>(token.start()), static_cast<size_t>(token.end() - token.start())));
        word.set_start(token.start());
        word.set_end(token.end());
        word.set_label(word.word()[0] >= 'A' && word.word()[0] <= 'Z' ? "NAME" : "O");
        if (!label.empty()) word.set_label(label);
        word.set_score(0.5f);
      }
    }
    return grpc::Status::OK;
  }

  // The first word of the context, and of the question "nothing?" none.
  grpc::Status AnswerFromText(grpc::ServerContext*, const v1::AnswerFromTextRequest* request,
                              v1::AnswerFromTextResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_answer = *request;
    if (!refusal.ok()) return refusal;
    for (const std::string& question : request->questions()) {
      v1::AnswerFromTextResponse::Question& entry = *response->add_questions();
      entry.set_no_answer_score(0.25f);
      if (question == "nothing?") continue;
      v1::AnswerFromTextResponse::Answer& answer = *entry.add_answers();
      const size_t end = std::min(request->context().find(' '), request->context().size());
      answer.set_text(request->context().substr(0, end));
      answer.set_end(static_cast<int64_t>(end));
      answer.set_score(0.5f);
    }
    return grpc::Status::OK;
  }

  // Two numbers for a text: its bytes, and 0.5.
  grpc::Status EmbedTexts(grpc::ServerContext*, const v1::EmbedTextsRequest* request,
                          v1::EmbedTextsResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_embed = *request;
    if (!refusal.ok()) return refusal;
    for (const std::string& text : request->texts()) {
      v1::EmbedTextsResponse::Text& answer = *response->add_texts();
      answer.set_width(2);
      const bool tokens = request->pooling() == v1::EmbedTextsRequest::POOLING_TOKENS;
      for (int i = 0; i < (tokens ? 2 : 1); ++i) {
        answer.add_values(static_cast<float>(text.size()));
        answer.add_values(0.5f);
        if (tokens) answer.add_tokens()->set_token(absl::StrCat("\u2581t", i));
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status OpenTextSession(grpc::ServerContext*, const v1::OpenTextSessionRequest* request,
                               v1::OpenTextSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    last_open = *request;
    if (!refusal.ok()) return refusal;
    *response->mutable_session() = NewSession(request->model());
    return grpc::Status::OK;
  }

  grpc::Status ReadTextStream(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::ReadTextStreamResponse, v1::ReadTextStreamRequest>* stream) override {
    const std::lock_guard lock(mutex_);
    if (!refusal.ok()) return refusal;
    v1::ReadTextStreamRequest message;
    std::string all;
    v1::ScoreOptions options;
    std::string session;
    while (stream->Read(&message)) {
      stream_messages.push_back(message);
      if (message.begin_case() != v1::ReadTextStreamRequest::BEGIN_NOT_SET) {
        options = message.options();
        session = message.session();
        if (!session.empty() && !sessions_.contains(session)) return NoSession(session);
        continue;
      }
      const bool begins = all.empty();
      all += message.text();
      v1::ReadTextStreamResponse response;
      *response.mutable_score() = ScoreOf(message.text(), options, begins);
      response.set_bytes_read(static_cast<int64_t>(all.size()));
      response.set_tokens_read(ScoreOf(all, options, false).tokens());
      stream->Write(response);
    }
    v1::ReadTextStreamResponse last;
    *last.mutable_total() = ScoreOf(all, {}, true);
    last.set_bytes_read(static_cast<int64_t>(all.size()));
    last.set_tokens_read(last.total().words());
    if (!session.empty()) {
      v1::TextSession& changed = sessions_[session];
      changed.set_version(changed.version() + 1);
      changed.set_tokens_read(changed.tokens_read() + last.tokens_read());
      *last.mutable_session() = changed;
    }
    stream->Write(last);
    return grpc::Status::OK;
  }

  grpc::Status ForkTextSession(grpc::ServerContext*, const v1::ForkTextSessionRequest* request,
                               v1::ForkTextSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (!sessions_.contains(request->session())) return NoSession(request->session());
    *response->mutable_session() = NewSession(sessions_[request->session()].model());
    return grpc::Status::OK;
  }

  grpc::Status ExportTextSession(grpc::ServerContext*, const v1::ExportTextSessionRequest* request,
                                 v1::ExportTextSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (!sessions_.contains(request->session())) return NoSession(request->session());
    response->set_data(absl::StrCat("export of ", sessions_[request->session()].model()));
    return grpc::Status::OK;
  }

  grpc::Status ImportTextSession(grpc::ServerContext*, const v1::ImportTextSessionRequest* request,
                                 v1::ImportTextSessionResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (!absl::StartsWith(request->data(), "export of ")) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "data is damaged");
    }
    *response->mutable_session() = NewSession(request->data().substr(10));
    return grpc::Status::OK;
  }

  grpc::Status CloseTextSession(grpc::ServerContext*, const v1::CloseTextSessionRequest* request,
                                v1::CloseTextSessionResponse*) override {
    const std::lock_guard lock(mutex_);
    if (sessions_.erase(request->session()) == 0) return NoSession(request->session());
    return grpc::Status::OK;
  }

 private:
  v1::TextSession NewSession(const std::string& model) {
    v1::TextSession session;
    session.set_name(absl::StrCat("t", ++opened_));
    session.set_model(model);
    session.set_version(1);
    return sessions_[session.name()] = session;
  }
  static grpc::Status NoSession(const std::string& name) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, absl::StrCat("no session '", name, "'"));
  }

  std::mutex mutex_;
  int opened_ = 0;
  std::map<std::string, v1::TextSession> sessions_;
};

}  // namespace heed::client
