// SPDX-License-Identifier: Apache-2.0
#include "models/xlnet/xlnet_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status_macros.h"

namespace heed {
namespace {

constexpr int64_t kRowsOfStep = 1024;  // of one stream, for the bound of its scratch

}  // namespace

// One reading's way through its tokens: each round reads as far as its segment goes.
class XlnetReader::Stream {
 public:
  Stream(const XlnetConfig& config, const Reading& reading)
      : config_(config), reading_(reading), memory_(static_cast<XlnetMemory&>(*reading.memory)) {}

  bool done() const { return next_token_ == reading_.tokens.size() && next_query_ == reading_.queries.size(); }

  // Appends the round's rows, and the queries that they answer.
  void AppendPass(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries);
  // Takes the round's answers, in the order of its queries.
  void Take(absl::Span<NextTokenAnswer> answers);
  size_t asked() const { return asked_.size(); }

 private:
  void AppendTokens(XlnetPass& pass);
  void AppendQueries(XlnetPass& pass, std::vector<NextTokenQuery>& queries);
  bool IsAnsweredNow(const NextTokenQuery& query) const;
  std::vector<float> AttentionOf(const std::vector<float>& weights, KeyRange seen) const;

  const XlnetConfig& config_;
  const Reading& reading_;
  XlnetMemory& memory_;
  size_t next_token_ = 0, next_query_ = 0;
  // Of the round.
  int64_t tokens_ = 0;     // that it reads
  int64_t first_key_ = 0;  // of its content rows
  int64_t first_new_ = 0;  // of the tokens that it reads
  std::vector<KeyRange> seen_;
  std::vector<size_t> asked_;  // queries
  std::vector<KeyRange> asked_seen_;
  std::vector<std::vector<float>> weights_;
};

void XlnetReader::Stream::AppendTokens(XlnetPass& pass) {
  const bool as_hugging_face = memory_.as_hugging_face();
  const int64_t left = static_cast<int64_t>(reading_.tokens.size() - next_token_);
  first_new_ = memory_.keys().size();
  const bool again = as_hugging_face && memory_.tokens_read() > 0 && left > 0;  // the last row sees a token more
  tokens_ = again ? 1 : std::min(left, memory_.room());
  if (again) memory_.BeginStep();
  first_key_ = first_new_ - (again ? 1 : 0);
  const int64_t end = first_new_ + tokens_;
  for (int64_t place = first_key_; place < end; ++place) {
    XlnetRow& row = pass.rows.emplace_back();
    row.token = place < first_new_ ? memory_.last_token()
                                   : reading_.tokens[next_token_ + static_cast<size_t>(place - first_new_)];
    row.position = place;
    KeyRange seen = memory_.SeenByContent(place);
    if (as_hugging_face && !config_.causal) seen.end = end;  // they see each other
    seen_.push_back(seen);
  }
  pass.held = &memory_.keys();
  pass.first_key = first_key_;
  pass.keep = true;
}

// Whether the query is about a token of this round's segment; if the segment ends before it, the next round answers it.
bool XlnetReader::Stream::IsAnsweredNow(const NextTokenQuery& query) const {
  const int64_t after = query.after - static_cast<int64_t>(next_token_);
  return after < tokens_ || (after == tokens_ && memory_.room() > tokens_);
}

void XlnetReader::Stream::AppendQueries(XlnetPass& pass, std::vector<NextTokenQuery>& queries) {
  asked_.clear();
  asked_seen_.clear();
  for (; next_query_ < reading_.queries.size() && IsAnsweredNow(reading_.queries[next_query_]); ++next_query_) {
    const NextTokenQuery& query = reading_.queries[next_query_];
    const int64_t place = first_new_ + query.after - static_cast<int64_t>(next_token_);
    const KeyRange seen = memory_.SeenByQuery(place);
    // In transformers' generate the tokens see each other, so that nothing can be asked about one in between.
    const bool is_within = memory_.as_hugging_face() && place < first_new_ + tokens_;
    if (seen.begin >= seen.end || is_within) {
      reading_.answers[next_query_] = {};
      reading_.answers[next_query_].is_defined = false;
      continue;
    }
    XlnetRow& row = pass.rows.emplace_back();
    row.position = place;
    seen_.push_back(seen);
    asked_.push_back(next_query_);
    asked_seen_.push_back(seen);
    queries.push_back(query);
  }
  weights_.assign(asked_.size(), {});
}

void XlnetReader::Stream::AppendPass(std::vector<XlnetPass>& passes, std::vector<NextTokenQuery>& queries) {
  memory_.BeginSegmentIfFull();
  seen_.clear();
  XlnetPass pass;
  AppendTokens(pass);
  AppendQueries(pass, queries);
  const size_t contents = pass.rows.size() - asked_.size();
  for (size_t i = 0; i < pass.rows.size(); ++i) {
    pass.rows[i].sees = absl::MakeConstSpan(&seen_[i], 1);
    if (i >= contents && reading_.queries[asked_[i - contents]].attention != nullptr) {
      pass.rows[i].attention = &weights_[i - contents];
    }
  }
  if (contents == 0) pass.keep = false;
  passes.push_back(std::move(pass));
}

// The weights of what the query sees, behind those of what stands before all of that.
std::vector<float> XlnetReader::Stream::AttentionOf(const std::vector<float>& weights, KeyRange seen) const {
  std::vector<float> result = {0};
  const int64_t first = memory_.keys().first();  // of `weights`
  for (int64_t i = seen.begin; i < seen.end; ++i) {
    const float weight = weights[static_cast<size_t>(i - first)];
    if (memory_.has_gaps() && i < memory_.segment_start()) {
      result[0] += weight;
    } else {
      result.push_back(weight);
    }
  }
  return result;
}

void XlnetReader::Stream::Take(absl::Span<NextTokenAnswer> answers) {
  for (size_t i = 0; i < asked_.size(); ++i) {
    const NextTokenQuery& query = reading_.queries[asked_[i]];
    reading_.answers[asked_[i]] = std::move(answers[i]);
    if (query.attention != nullptr) *query.attention = AttentionOf(weights_[i], asked_seen_[i]);
  }
  if (tokens_ == 0) return;
  next_token_ += static_cast<size_t>(tokens_);
  memory_.Advance(tokens_);
  memory_.set_last_token(reading_.tokens[next_token_ - 1]);
}

XlnetReader::XlnetReader(std::shared_ptr<const XlnetNetwork> network, int64_t weights, int64_t resident_bytes)
    : network_(std::move(network)), weights_(weights), resident_bytes_(resident_bytes) {
  HEED_CHECK(network_->predicts());
}

std::unique_ptr<TextMemory> XlnetReader::NewMemory(const MemoryOptions& options) const {
  return std::make_unique<XlnetMemory>(config(), options);
}

absl::StatusOr<std::unique_ptr<TextMemory>> XlnetReader::ParseMemory(absl::string_view bytes) const {
  return XlnetMemory::Parse(config(), bytes);
}

int64_t XlnetReader::MemoryBytes(int64_t tokens_before, int64_t tokens) const {
  return XlnetKeys::Bytes(config().layers, config().d_model, tokens) +
         network_->StepBytes(2 * std::min(tokens, kRowsOfStep), tokens_before + tokens);
}

void XlnetReader::Read(absl::Span<const Reading> readings, Context& context) const {
  std::vector<Stream> streams;
  for (const Reading& reading : readings) streams.emplace_back(config(), reading);
  while (true) {
    std::vector<Stream*> running;
    std::vector<XlnetPass> passes;
    std::vector<NextTokenQuery> queries;
    for (Stream& stream : streams) {
      if (stream.done()) continue;
      running.push_back(&stream);
      stream.AppendPass(passes, queries);
    }
    if (running.empty()) return;
    std::vector<NextTokenAnswer> answers(queries.size());
    Arena::Scope scope(context.arena);
    const MatrixView hidden = network_->Run(absl::MakeSpan(passes), config().layers, context);
    if (!queries.empty()) network_->Predict(hidden, queries, absl::MakeSpan(answers), context);
    absl::Span<NextTokenAnswer> rest = absl::MakeSpan(answers);
    for (Stream* stream : running) {
      stream->Take(rest.subspan(0, stream->asked()));
      rest.remove_prefix(stream->asked());
    }
  }
}

}  // namespace heed
