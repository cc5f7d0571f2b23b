// SPDX-License-Identifier: Apache-2.0
// Language models as a typed front: from texts to tasks that score, continue, fill in, classify, tag, search and embed
// them, and back to results.
//
// A language model does what its weights have a head for (LanguageModelUses); it refuses the rest by name. Its State is
// the memory of what a session has read.
//
// Offsets are bytes of the caller's UTF-8 text, the end one past the last. Log-probabilities are natural logarithms.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/kinds/search_options.h"
#include "models/kinds/stateful_model.h"

namespace heed {

// ------------------------------------------------------------------------------------------------------ text

enum class Tokenization {
  kModel,       // as the model's directory says
  kMoses,       // Moses' rules, where the vocabulary is of words
  kWhitespace,  // tokens are what white space separates, where the vocabulary is of words (WikiText, PTB)
};

// How a text becomes tokens.
struct TextOptions {
  Tokenization tokenization = Tokenization::kModel;
  // Every line ends with the model's end-of-line token, the last one too. Only where the vocabulary is of words.
  bool append_line_end = false;
  // "<eos>" or "<mask>" in the text is that token. Otherwise it is text like any other.
  bool special_tokens = false;
};

// Attention of the last layer, the mean of its heads. Row-major [rows, columns]; each row adds up to 1.
struct TextAttention {
  int64_t rows = 0;     // tokens of the answer
  int64_t columns = 0;  // 1 + tokens that this request gave the model: column 0 is all that was read before
  std::vector<float> weights;
};

// ----------------------------------------------------------------------------------------------------- score

enum class ScoreOrder {
  kLeftToRight,  // each token given those before it
  kAllContext,   // each token given all others of the text (pseudo-log-likelihood, Salazar et al. 2020): XLNet
};
enum class ScoreBegin {
  kNothing,    // the first token of a text that nothing stands before has no probability
  kEndOfText,  // it is read behind an end-of-text token
};

struct ScoreOptions {
  TextOptions text;
  ScoreBegin begin = ScoreBegin::kNothing;
  ScoreOrder order = ScoreOrder::kLeftToRight;
  int top_k = 0;  // alternatives of each token
  // Tokens after which the memory moves on, for a model whose tokens see more or less of it by where they stand
  // (transfo-xl with same_length false). 0: as the model's directory says.
  int64_t segment_tokens = 0;
  bool return_tokens = false;  // fill ScoreResult::token_scores
  bool return_attention = false;
};

struct ScoreRequest {
  std::shared_ptr<const State> state;  // what was read before; null: nothing
  // Read before the text, without being scored. Text and context are one text: a token that reaches from one to the
  // other is scored.
  std::string context;
  std::string text;
  std::vector<int32_t> tokens;  // in place of `text`; offsets are then 0
  ScoreOptions options;
  bool keep_state = false;  // ScoreTask::state() is wanted
};

struct TokenAlternative {
  std::string token;
  float log_probability = 0;
};

struct TokenScore {
  std::string token;  // as the vocabulary spells it: "▁house", "<unk>"
  int32_t id = 0;
  int64_t start = 0, end = 0;  // of the text
  bool is_unknown = false;
  std::optional<float> log_probability;  // none: it was the first and nothing stood before it
  int64_t rank = 0;                      // 1: no token is likelier; 0: without a probability
  std::vector<TokenAlternative> top;     // likeliest first
};

struct ScoreResult {
  double log_probability = 0;              // sum over the tokens that have one
  int64_t tokens = 0;                      // those
  int64_t words = 0;                       // of the text, separated by white space
  int64_t bytes = 0;                       // of the text
  bool is_greedy = true;                   // each token was the likeliest
  std::vector<std::string> unknown_words;  // as the text spells them, each once, at most kMaxUnknownWords
  int64_t unknown_tokens = 0;              // how many of `tokens` were unknown words
  std::vector<TokenScore> token_scores;
  std::vector<std::string> token_texts;  // of context and text, with return_attention
  TextAttention attention;               // rows: token_scores; columns: token_texts behind column 0

  double perplexity() const;     // of a token: exp(-log_probability / tokens); 0 without tokens
  double bits_per_byte() const;  // -log_probability / ln 2 / bytes; 0 without bytes
};
inline constexpr int64_t kMaxUnknownWords = 100;

// -------------------------------------------------------------------------------------------------- generate

enum class GenerateMode {
  kCausal,         // each token sees those before it
  kAsHuggingFace,  // XLNet as transformers' generate runs it: the prompt's tokens see each other, and so do the last
                   // two
};

struct GenerateOptions : SearchOptions {
  TextOptions text;
  std::vector<std::string> stop;  // the text ends before the first of these; at most kMaxStops of kMaxStopBytes each
  bool stop_at_end = true;        // the model's end-of-text token ends the text
  int n = 1;                      // independent draws, with sampling
  bool ban_unknown = true;        // the unknown token is not produced, nor are those that no text has (padding, masks)
  bool return_tokens = false;     // fill GeneratedText::tokens
  int top_k_alternatives = 0;     // TokenScore::top
  GenerateMode mode = GenerateMode::kCausal;
  bool return_attention = false;
  bool stream = false;  // GenerateTask::TakeText gives the text as it grows: beam_size 1 and n 1
};
inline constexpr int kMaxStops = 16;
inline constexpr size_t kMaxStopBytes = 256;
inline constexpr int kMaxDraws = 32;
inline constexpr int kMaxAlternatives = 100;
inline constexpr int kMaxNgram = 128;  // of no_repeat_ngram
inline constexpr int64_t kMaxGeneratedTokens = 16'384;

struct GenerateRequest {
  std::shared_ptr<const State> state;
  std::string prompt;  // read behind the state; may be empty if the state has read something
  GenerateOptions options;
  bool keep_state = false;  // GenerateTask::state(): after the prompt and the first of the texts
};

struct GeneratedText {
  // Prompt and text together are the whole: it begins with a blank where a word begins. Without one if the prompt ends
  // in white space, or only a session stands before it.
  std::string text;
  FinishReason finish_reason = FinishReason::kEos;
  std::string stop;                // not empty: this stop text ended it, whatever finish_reason says
  double log_probability = 0;      // of its tokens, end-of-text included
  double score = 0;                // what beam search ranks by
  int64_t token_count = 0;         // end-of-text included
  std::vector<TokenScore> tokens;  // offsets are of `text`
  TextAttention attention;  // rows: tokens; columns behind column 0: prompt_token_texts and the tokens themselves
};

struct GenerateResult {
  std::vector<GeneratedText> texts;  // best first; of n draws in their order
  int64_t prompt_tokens = 0;
  std::vector<std::string> prompt_token_texts;  // with return_attention
  std::vector<std::string> unknown_words;       // of the prompt
};

// -------------------------------------------------------------------------------------------------- fill in

enum class FillOrder {
  kAtOnce,            // every gap token given the text only
  kLeftToRight,       // one after the other, each given those filled before
  kMostCertainFirst,  // likewise, the surest next
};

struct TextGap {
  int64_t start = 0, end = 0;           // of the text: what stands there is not read
  std::vector<std::string> candidates;  // only these; empty: any
  int pieces = 1;                       // tokens that the gap has, without candidates
};

struct FillInRequest {
  std::string context;  // read before the text
  std::string text;
  std::vector<TextGap> gaps;  // ascending, not overlapping; at least one
  FillOrder order = FillOrder::kAtOnce;
  int top_k = 5;
  TextOptions text_options;
  bool return_attention = false;
};

struct GapFilling {
  std::string text;
  std::vector<std::string> tokens;
  float log_probability = 0;  // of its tokens together
};

struct FillInResult {
  std::vector<std::vector<GapFilling>> gaps;  // of each gap the likeliest, best first
  std::string filled_text;                    // with the best of each
  double log_probability = 0;                 // of all that was filled in
  int64_t tokens = 0;                         // of context, text and gaps
  std::vector<std::string> token_texts;       // with return_attention
  TextAttention attention;                    // rows: gap tokens; columns: token_texts behind column 0
};

// ------------------------------------------------------------------- classify, tag, answers from text, embed

enum class Overlong {
  kRefuse,    // INVALID_ARGUMENT
  kTruncate,  // the end of the longer text is left out
  kWindows,   // the text is read in overlapping windows, and the labels' scores are averaged
};
enum class LabelFunction { kModel, kSoftmax, kSigmoid, kNone };

struct TextClassificationRequest {
  std::string text;
  std::string pair;                  // a second text; empty: none
  std::vector<std::string> choices;  // multiple choice: each is a second text, and the label is its number
  int top = 1;                       // 0: all
  LabelFunction function = LabelFunction::kModel;
  Overlong overlong = Overlong::kRefuse;
  int64_t max_tokens = 0;  // special tokens included; 0: the model's limit
  TextOptions text_options;
  bool return_attention = false;
};

struct TextLabel {
  std::string label;
  float score = 0;
};

struct TextClassification {
  std::vector<TextLabel> labels;  // best first
  int64_t tokens = 0;             // read
  bool truncated = false;
  std::vector<std::string> token_texts;  // with return_attention
  TextAttention attention;               // one row: the token that the label was taken from
};

struct TagRequest {
  std::string text;
  Overlong overlong = Overlong::kRefuse;
  int64_t max_tokens = 0;
  TextOptions text_options;
  bool return_attention = false;
};

struct TaggedWord {
  std::string word;
  int64_t start = 0, end = 0;
  std::string label;  // of its first token
  float score = 0;    // its probability
};

struct TagResult {
  std::vector<TaggedWord> words;
  int64_t tokens = 0;
  std::vector<std::string> token_texts;
  TextAttention attention;  // rows: token_texts
};

struct AnswerFromTextRequest {
  std::string context;
  std::string question;
  int top = 1;
  int max_answer_tokens = 15;
  bool allow_no_answer = false;  // an answer that is no better than none is left out
  Overlong overlong = Overlong::kWindows;
  int64_t max_tokens = 0;
  TextOptions text_options;
  bool return_attention = false;
};

struct TextSpan {
  std::string text;
  int64_t start = 0, end = 0;  // of the context
  float score = 0;             // p(start) p(end)
};

struct AnswerFromTextResult {
  std::vector<TextSpan> answers;         // best first
  std::optional<float> no_answer_score;  // higher: more likely that there is none
  int64_t tokens = 0;
  std::vector<std::string> token_texts;
  TextAttention attention;  // rows: the tokens of the best answer
};

enum class Pooling { kSummary, kMean, kLast, kTokens };

struct EmbedRequest {
  std::string text;
  Pooling pooling = Pooling::kMean;
  int layer = -1;          // 0: the embeddings; n: behind layer n; negative: counted from the last, -1
  bool normalize = false;  // to length 1
  Overlong overlong = Overlong::kRefuse;
  int64_t max_tokens = 0;
  TextOptions text_options;
  bool return_attention = false;
};

struct EmbeddedToken {
  std::string token;
  int64_t start = 0, end = 0;
};

struct EmbedResult {
  int64_t width = 0;
  std::vector<float> values;          // [vectors, width]: one, or with kTokens one for each of `tokens`
  std::vector<EmbeddedToken> tokens;  // with kTokens, special tokens included (start = end)
  int64_t token_count = 0;            // read
  bool truncated = false;
  std::vector<std::string> token_texts;
  TextAttention attention;  // rows: token_texts
};

// ----------------------------------------------------------------------------------------------------- tasks

// One text's work. `Result` is set once finished() without an error.
template <typename Result>
class TextTask : public Task {
 public:
  const Result& result() const { return result_; }
  bool has_output() const override { return finished(); }

 protected:
  Result result_;
};

class ScoreTask : public TextTask<ScoreResult> {
 public:
  // With keep_state: after the text.
  virtual std::shared_ptr<const State> state() const = 0;
};

class GenerateTask : public TextTask<GenerateResult> {
 public:
  virtual std::shared_ptr<const State> state() const = 0;
  // With options.stream: the text that became final since the last call. The pieces make up the text.
  virtual std::string TakeText() = 0;
};

using FillInTask = TextTask<FillInResult>;
using TextClassificationTask = TextTask<TextClassification>;
using TagTask = TextTask<TagResult>;
using AnswerFromTextTask = TextTask<AnswerFromTextResult>;
using EmbedTask = TextTask<EmbedResult>;

// ----------------------------------------------------------------------------------------------------- model

// What a model's weights have a head for.
struct LanguageModelUses {
  bool score = false;  // and generate, and sessions
  bool fill_in = false;
  bool classify = false;
  bool choose = false;  // multiple choice
  bool tag = false;
  bool answer_from_text = false;
  bool embed = true;
};

// Its State counts tokens (units). Thread-safe, immutable.
//
// Each Start validates and tokenizes, on the caller's thread: every INVALID_ARGUMENT comes from here and names the
// field of its request (text, options.top_k) and both values. UNIMPLEMENTED: the weights have no head for it, or the
// architecture has no such thing; the message says what the model can do. `limits` bound the rows of the first step and
// are checked between pieces of a long text. `request.state` must be this model's, or of one with the same fingerprint.
class LanguageModel : public StatefulModel {
 public:
  ModelKind kind() const final { return ModelKind::kLanguageModel; }
  // Uses each head once on a few words.
  absl::Status Probe(Context& context) const override;

  virtual const LanguageModelUses& uses() const = 0;
  // As the model's own files set them: generation_config.json, config.json's task_specific_params.
  virtual const GenerateOptions& default_options() const = 0;
  // Of the memory, as far as it is held: what Session::memory_tokens says. `state` is this model's.
  virtual int64_t MemoryTokens(const State& state) const = 0;

  // What a session begins with: NewState, but the memory moves on after `segment_tokens` (0: as the directory says).
  // INVALID_ARGUMENT names the field segment_tokens; UNIMPLEMENTED: the model keeps no memory (uses().score is false).
  virtual absl::StatusOr<std::shared_ptr<const State>> OpenState(int64_t segment_tokens) const = 0;

  virtual absl::StatusOr<std::unique_ptr<ScoreTask>> StartScore(ScoreRequest request, const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<GenerateTask>> StartGenerate(GenerateRequest request,
                                                                      const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<FillInTask>> StartFillIn(FillInRequest request,
                                                                  const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<TextClassificationTask>> StartClassify(TextClassificationRequest request,
                                                                                const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<TagTask>> StartTag(TagRequest request, const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<AnswerFromTextTask>> StartAnswer(AnswerFromTextRequest request,
                                                                          const StartLimits& limits) const;
  virtual absl::StatusOr<std::unique_ptr<EmbedTask>> StartEmbed(EmbedRequest request, const StartLimits& limits) const;

 protected:
  // UNIMPLEMENTED: "model 'NAME' cannot WHAT; it can score and generate texts, and embed them".
  absl::Status Cannot(absl::string_view what) const;
};

}  // namespace heed
