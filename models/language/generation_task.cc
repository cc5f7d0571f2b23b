// SPDX-License-Identifier: Apache-2.0
#include "models/language/generation_task.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "models/language/text_state.h"
#include "models/language/unknown_words.h"

namespace heed {
namespace {

constexpr int32_t kNever = -1;  // no token: a text that no token ends
constexpr int64_t kUsualTokenBytes = 8;
constexpr size_t kStopTokens = 512;    // at the end of a text, where a stop text is looked for
constexpr size_t kMaxTokenBytes = 64;  // between a token's place and the end of the one before it

// A stream of random numbers for each draw (splitmix64's step).
uint64_t DrawSeed(uint64_t seed, uint64_t draw) { return seed + 0x9E3779B97F4A7C15u * draw; }

SearchRules RulesOf(const GenerateOptions& options, const TextTokenizer& tokenizer) {
  SearchRules rules;
  const bool ends = options.stop_at_end && tokenizer.end_of_text().has_value();
  rules.eos = ends ? *tokenizer.end_of_text() : kNever;
  if (!options.ban_unknown) return rules;
  rules.banned = tokenizer.special();
  if (tokenizer.unknown()) rules.banned.push_back(*tokenizer.unknown());
  std::sort(rules.banned.begin(), rules.banned.end());
  rules.banned.erase(std::unique(rules.banned.begin(), rules.banned.end()), rules.banned.end());
  rules.banned.erase(std::remove(rules.banned.begin(), rules.banned.end(), rules.eos), rules.banned.end());
  return rules;
}

struct FoundStop {
  size_t at = std::string::npos;
  std::string text;
};

// The stop text that comes first in the text.
FoundStop FirstStop(absl::string_view text, const std::vector<std::string>& stops) {
  FoundStop first;
  for (const std::string& stop : stops) {
    const size_t at = text.find(stop);
    if (at < first.at || (at == first.at && at != std::string::npos && stop.size() > first.text.size())) {
      first = {at, stop};
    }
  }
  return first;
}

// How many bytes at the end of the text may be the beginning of a stop text.
size_t BytesOfBegunStop(absl::string_view text, const std::vector<std::string>& stops) {
  size_t most = 0;
  for (const std::string& stop : stops) {
    for (size_t length = std::min(stop.size() - 1, text.size()); length > most; --length) {
      if (absl::EndsWith(text, absl::string_view(stop).substr(0, length))) most = length;
    }
  }
  return most;
}

// For each token, how many bytes of `text`, their text, it and those before it make. A token whose own text is not
// there, because it was joined with others, makes none.
std::vector<int64_t> EndsOfTokens(absl::string_view text, absl::Span<const int32_t> tokens,
                                  const TextTokenizer& tokenizer) {
  std::vector<int64_t> ends;
  size_t at = 0;
  for (const int32_t& token : tokens) {
    const std::string own = tokenizer.Decode(absl::MakeConstSpan(&token, 1));
    const size_t place = text.substr(at, own.size() + kMaxTokenBytes).find(own);
    if (place != absl::string_view::npos) at += place + own.size();
    ends.push_back(static_cast<int64_t>(at));
  }
  return ends;
}

}  // namespace

GenerationTask::GenerationTask(const CausalNetwork& network, const TextTokenizer& tokenizer, GenerateRequest request,
                               const std::vector<TextToken>& prompt)
    : network_(network),
      tokenizer_(tokenizer),
      request_(std::move(request)),
      rules_(RulesOf(request_.options, tokenizer)) {
  UnknownWords unknown;
  for (const TextToken& token : prompt) {
    prompt_.push_back(token.id);
    if (token.is_unknown) unknown.Add(request_.prompt, token.start, token.end, result_.unknown_words);
  }
  if (request_.options.return_attention) {
    for (const int32_t id : prompt_) result_.prompt_token_texts.push_back(tokenizer_.Piece(id));
  }
  if (request_.state != nullptr) read_before_ = request_.state->units();
  result_.prompt_tokens = static_cast<int64_t>(prompt_.size());
}

absl::Span<const int32_t> GenerationTask::Stretch(const std::vector<int32_t>& ids) const {
  const absl::Span<const int32_t> rest = absl::MakeConstSpan(ids).subspan(static_cast<size_t>(next_));
  const bool whole = phase_ == Phase::kPrompt && request_.options.mode == GenerateMode::kAsHuggingFace;
  return whole ? rest : rest.subspan(0, static_cast<size_t>(kTokensPerReading));
}

int64_t GenerationTask::next_rows() const {
  if (phase_ == Phase::kPrompt && !prompt_.empty()) return static_cast<int64_t>(Stretch(prompt_).size());
  if (phase_ == Phase::kKeep) return std::max<int64_t>(1, static_cast<int64_t>(Stretch(kept_).size()));
  int64_t rows = 0;
  for (const Draw& draw : draws_) {
    if (!draw.search->done()) rows += draw.search->rows();
  }
  return rows > 0 ? rows : draws();
}

int64_t GenerationTask::peak_bytes() const {
  const GenerateOptions& options = request_.options;
  const int64_t prompt = static_cast<int64_t>(prompt_.size());
  const int64_t hypotheses = draws() * options.beam_size;
  const bool all_logits = options.sample || options.repetition_penalty != 1;
  const int64_t candidates = std::max(2 * options.beam_size, options.top_k_alternatives);
  // Attention is kept over all that is held, a session's tokens too.
  const int64_t attended = options.return_attention ? 2 + read_before_ + prompt + options.max_tokens : 0;
  const int64_t record = static_cast<int64_t>(sizeof(StepRecord)) +
                         candidates * static_cast<int64_t>(sizeof(Candidate)) +
                         attended * static_cast<int64_t>(sizeof(float));
  return network_.MemoryBytes(read_before_, prompt) +
         hypotheses * (network_.MemoryBytes(read_before_ + prompt, options.max_tokens) + options.max_tokens * record +
                       (all_logits ? network_.vocabulary() * static_cast<int64_t>(sizeof(float)) : 0)) +
         answer_bytes();
}

int64_t GenerationTask::answer_bytes() const {
  const GenerateOptions& options = request_.options;
  int64_t per_token = kUsualTokenBytes;
  if (options.return_tokens) per_token += kTokenScoreBytes + options.top_k_alternatives * kAlternativeBytes;
  if (options.return_attention) {
    per_token += (1 + static_cast<int64_t>(prompt_.size()) + options.max_tokens) * static_cast<int64_t>(sizeof(float));
  }
  return std::max(draws(), static_cast<int64_t>(options.n_best)) * options.max_tokens * per_token;
}

std::string GenerationTask::TakeText() {
  const absl::string_view text = finished() && error().ok() ? absl::string_view(result_.texts[0].text) : stable_text_;
  if (text.size() <= taken_) return "";
  std::string taken(text.substr(taken_));
  taken_ = text.size();
  return taken;
}

std::string GenerationTask::TextBehindPrompt(absl::Span<const int32_t> tokens) const {
  if (prompt_.empty() || request_.prompt.empty() ||
      absl::ascii_isspace(static_cast<unsigned char>(request_.prompt.back()))) {
    return tokenizer_.Decode(tokens);
  }
  std::vector<int32_t> behind = {prompt_.back()};
  const std::string last = tokenizer_.Decode(behind);
  behind.insert(behind.end(), tokens.begin(), tokens.end());
  const std::string text = tokenizer_.Decode(behind);
  return absl::StartsWith(text, last) ? text.substr(last.size()) : tokenizer_.Decode(tokens);
}

void GenerationTask::AppendReadings(std::vector<Reading>& readings) {
  if (memory_ == nullptr && phase_ == Phase::kPrompt) {
    const MemoryOptions options{.as_hugging_face = request_.options.mode == GenerateMode::kAsHuggingFace};
    memory_ = request_.state == nullptr ? network_.NewMemory(options)
                                        : static_cast<const TextState&>(*request_.state).memory().Fork();
    if (prompt_.empty()) BeginSearch();
  }
  queries_.clear();
  if (phase_ != Phase::kSearch) {
    answers_.clear();
    readings.push_back({memory_.get(), Stretch(phase_ == Phase::kPrompt ? prompt_ : kept_), {}, {}});
    return;
  }
  for (Draw& draw : draws_) {
    if (!draw.search->done()) AppendSearch(draw);
  }
  answers_.assign(queries_.size(), {});
  if (request_.options.return_attention) {
    attention_.assign(queries_.size(), {});
    for (size_t q = 0; q < queries_.size(); ++q) queries_[q].attention = &attention_[q];
  }
  size_t q = 0;
  for (Draw& draw : draws_) {
    if (draw.search->done()) continue;
    for (size_t row = 0; row < draw.rows.size(); ++row, ++q) {
      const bool is_first = draw.rows[row].position == 0;
      readings.push_back({draw.memories[row].get(), absl::MakeConstSpan(draw.inputs).subspan(row, is_first ? 0 : 1),
                          absl::MakeConstSpan(queries_).subspan(q, 1), absl::MakeSpan(answers_).subspan(q, 1)});
    }
  }
}

void GenerationTask::BeginSearch() {
  phase_ = Phase::kSearch;
  const GenerateOptions& options = request_.options;
  const bool prompt_loops = !prompt_.empty() && EndsInLoop(prompt_);
  for (int64_t i = 0; i < draws(); ++i) {
    Draw& draw = draws_.emplace_back();
    draw.search =
        std::make_unique<Search>(rules_, options, std::vector<int32_t>(), network_.vocabulary(),
                                 DrawSeed(options.sampling.seed, static_cast<uint64_t>(i)), prompt_loops, prompt_);
    const bool is_last = i + 1 == draws() && !request_.keep_state;
    draw.memories.push_back(is_last ? std::move(memory_) : memory_->Fork());
  }
}

void GenerationTask::AppendSearch(Draw& draw) {
  draw.rows.clear();
  draw.wanted.clear();
  draw.inputs.clear();
  draw.search->AppendRows(draw.rows, draw.wanted);
  for (size_t row = 0; row < draw.rows.size(); ++row) {
    const VocabularyQuery& wanted = draw.wanted[row];
    draw.inputs.push_back(draw.rows[row].token);
    NextTokenQuery& query = queries_.emplace_back();
    query.after = draw.rows[row].position == 0 ? 0 : 1;
    query.top = needs_alternatives() ? std::max(wanted.top, request_.options.top_k_alternatives) : wanted.top;
    query.banned = wanted.banned;
    query.all = wanted.all_logits;
  }
}

void GenerationTask::TakeSearch(Draw& draw, size_t first_answer) {
  const bool penalizes = request_.options.repetition_penalty != 1;
  std::vector<VocabularyAnswer> answers;
  std::vector<StepRecord>& records = draw.steps.emplace_back();
  for (size_t row = 0; row < draw.rows.size(); ++row) {
    NextTokenAnswer& answer = answers_[first_answer + row];
    StepRecord& record = records.emplace_back();
    record.best = answer.best;
    if (request_.options.return_attention) record.attention = std::move(attention_[first_answer + row]);
    VocabularyAnswer& given = answers.emplace_back();
    given.best = std::move(answer.best);
    if (!penalizes) continue;
    // The penalty is for the network's own logits.
    given.log_normalizer = answer.log_normalizer;
    for (Candidate& candidate : given.best) candidate.logit += given.log_normalizer;
    float* logits = draw.wanted[row].all_logits;
    for (int64_t id = 0; id < network_.vocabulary(); ++id) logits[id] += given.log_normalizer;
  }
  Advance(draw, answers);
}

void GenerationTask::Advance(Draw& draw, absl::Span<const VocabularyAnswer> answers) {
  draw.search->Advance(answers);
  if (draw.search->done()) {
    draw.memories.clear();
    return;
  }
  const std::vector<int32_t> parents = draw.search->Parents();
  std::vector<int> children(draw.memories.size(), 0);
  for (const int32_t parent : parents) ++children[static_cast<size_t>(parent)];
  std::vector<std::unique_ptr<TextMemory>> memories;
  for (const int32_t slot : parents) {
    const size_t parent = static_cast<size_t>(slot);
    memories.push_back(--children[parent] == 0 ? std::move(draw.memories[parent]) : draw.memories[parent]->Fork());
  }
  draw.memories = std::move(memories);
}

// The whole text is decoded only now and then, and when its end looks as if a stop text were there: how an end is
// written may depend on what stands before it.
bool GenerationTask::Stopped(const Draw& draw) const {
  const GenerateOptions& options = request_.options;
  if (options.stop.empty() || options.beam_size > 1) return false;
  const absl::Span<const int32_t> tokens = draw.search->tokens();
  const auto has_stop = [&](absl::Span<const int32_t> part) {
    return FirstStop(TextBehindPrompt(part), options.stop).at != std::string::npos;
  };
  if (tokens.size() <= kStopTokens) return has_stop(tokens);
  const bool looks = has_stop(tokens.subspan(tokens.size() - kStopTokens));
  return (looks || tokens.size() % kStopTokens == 0) && has_stop(tokens);
}

void GenerationTask::Take() {
  if (phase_ == Phase::kPrompt) {
    next_ += static_cast<int64_t>(Stretch(prompt_).size());
    if (next_ == static_cast<int64_t>(prompt_.size())) BeginSearch();
    return;
  }
  if (phase_ == Phase::kKeep) {
    next_ += static_cast<int64_t>(Stretch(kept_).size());
    if (next_ < static_cast<int64_t>(kept_.size())) return;
    state_ = std::make_shared<const TextState>(std::move(memory_));
    return Finish();
  }
  for (const NextTokenAnswer& answer : answers_) {
    if (!answer.is_defined) {
      return Finish(
          absl::FailedPreconditionError("the model gives no probabilities behind this prompt: a longer one has some"));
    }
    if (!answer.best.empty() && !std::isfinite(answer.best[0].logit)) {
      return Finish(
          absl::InternalError("the model computed probabilities that are not numbers: its weights are damaged"));
    }
  }
  size_t first_answer = 0;
  bool all_done = true;
  for (Draw& draw : draws_) {
    if (draw.search->done()) continue;
    const size_t rows = draw.rows.size();
    TakeSearch(draw, first_answer);
    first_answer += rows;
    if (!draw.search->done() && Stopped(draw)) draw.search->Stop();
    all_done = all_done && draw.search->done();
  }
  if (all_done) {
    Conclude();
  } else if (request_.options.stream) {
    Stream();
  }
}

// Gives out what neither a loop nor a stop text could take back.
void GenerationTask::Stream() {
  const absl::Span<const int32_t> tokens = draws_[0].search->tokens();
  const size_t stable =
      request_.options.stop_loops ? static_cast<size_t>(TokensBeforeRepetition(tokens)) : tokens.size();
  std::string text = TextBehindPrompt(tokens.subspan(0, stable));
  text.resize(text.size() - BytesOfBegunStop(text, request_.options.stop));
  // A later token may still change the last word: spaces are cleaned up, characters are unfinished.
  const size_t word = text.find_last_of(" \n");
  text.resize(word == std::string::npos ? 0 : word);
  text.resize(text.size() - BytesOfBegunStop(text, request_.options.stop));
  if (text.size() > stable_text_.size() && absl::StartsWith(text, stable_text_)) stable_text_ = std::move(text);
}

void GenerationTask::Conclude() {
  const bool draws_at_random = request_.options.sample;
  std::vector<int32_t> first;
  for (Draw& draw : draws_) {
    std::vector<FoundHypothesis> found = draw.search->TakeResults();
    for (const FoundHypothesis& one : found) {
      result_.texts.push_back(TextOf(draw, one));
      if (result_.texts.size() == 1) {
        first = one.tokens;
        // A stop text that ended it: what the state reads ends there, too.
        if (!result_.texts[0].stop.empty()) first.resize(static_cast<size_t>(result_.texts[0].token_count));
      }
      if (draws_at_random) break;
    }
  }
  draws_.clear();
  if (!request_.keep_state) return Finish();
  kept_ = std::move(first);
  next_ = 0;
  phase_ = Phase::kKeep;
  if (!kept_.empty()) return;
  state_ = std::make_shared<const TextState>(std::move(memory_));
  Finish();
}

GeneratedText GenerationTask::TextOf(const Draw& draw, const FoundHypothesis& found) const {
  GeneratedText text;
  text.text = TextBehindPrompt(found.tokens);
  text.finish_reason = found.reason;
  text.score = found.score;
  size_t kept = found.tokens.size();
  const std::vector<int64_t> ends = EndsOfTokens(text.text, found.tokens, tokenizer_);
  if (FoundStop stop = FirstStop(text.text, request_.options.stop); stop.at != std::string::npos) {
    text.text.resize(stop.at);
    text.stop = std::move(stop.text);
    // The tokens whose text is all before it.
    kept =
        static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), static_cast<int64_t>(stop.at)) - ends.begin());
  }
  text.token_count = static_cast<int64_t>(kept);
  for (size_t i = 0; i < kept; ++i) text.log_probability += static_cast<double>(found.log_probabilities[i]);
  if (request_.options.return_attention) {
    text.attention.columns = 1 + static_cast<int64_t>(prompt_.size() + kept);
    text.attention.rows = static_cast<int64_t>(kept);
    text.attention.weights.resize(static_cast<size_t>(text.attention.columns) * kept);
    for (size_t i = 0; i < kept; ++i) {
      const StepRecord& record = draw.steps[i][static_cast<size_t>(found.slots[i])];
      AddAttention(record.attention, static_cast<int64_t>(i), text.attention);
    }
  }
  if (request_.options.return_tokens) AddTokens(draw, found, ends, text);
  return text;
}

void GenerationTask::AddTokens(const Draw& draw, const FoundHypothesis& found, const std::vector<int64_t>& ends,
                               GeneratedText& text) const {
  int64_t start = 0;
  for (size_t i = 0; i < static_cast<size_t>(text.token_count); ++i) {
    TokenScore& score = text.tokens.emplace_back();
    score.id = found.tokens[i];
    score.token = tokenizer_.Piece(score.id);
    score.start = start;
    score.end = ends[i];
    start = score.end;
    score.is_unknown = tokenizer_.unknown() == score.id;
    score.log_probability = found.log_probabilities[i];
    const std::vector<Candidate>& best = draw.steps[i][static_cast<size_t>(found.slots[i])].best;
    for (size_t k = 0; k < best.size() && static_cast<int>(k) < request_.options.top_k_alternatives; ++k) {
      score.top.push_back({tokenizer_.Piece(best[k].id), best[k].logit});
    }
    const auto place = std::find_if(best.begin(), best.end(), [&](const Candidate& c) { return c.id == score.id; });
    if (place != best.end()) score.rank = 1 + (place - best.begin());
  }
}

void GenerationTask::AddAttention(const std::vector<float>& weights, int64_t row, TextAttention& attention) const {
  if (weights.empty()) return;
  float* to = attention.weights.data() + row * attention.columns;
  const int64_t held = static_cast<int64_t>(weights.size()) - 1;
  const int64_t read = static_cast<int64_t>(prompt_.size()) + row;
  to[0] = weights[0];
  for (int64_t i = 0; i < held; ++i) {
    to[std::max<int64_t>(0, read - held + i + 1)] += weights[static_cast<size_t>(i + 1)];
  }
}

}  // namespace heed
