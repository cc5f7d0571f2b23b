// SPDX-License-Identifier: Apache-2.0
#include "client/language/text_flags.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "client/cli/exit_code.h"
#include "client/lib/text_client.h"

namespace heed::client {
namespace {

constexpr int kMaxInt = std::numeric_limits<int>::max();

}  // namespace

void TextCommandFlags::AddTo(FlagTable& flags, const std::string& unit) {
  flags.AddSection("Request");
  server.AddTo(flags, absl::StrCat("Maximum time for a ", unit, ", with all its retries. 0 means no limit."));
  server.AddPriorityTo(flags);
  server.AddModelVersionTo(flags);
  flags.AddString("model", &model, "NAME", "Name of the model. Defaults to the server's only language model.");
  flags.AddInt("in_flight", &in_flight, 1, 100000, absl::StrCat("Maximum ", unit, "s in progress at a time."));
}

void TextSessionFlags::AddTo(FlagTable& flags, const std::string& does) {
  flags.AddSection("Session");
  flags.AddString("session", &session, "ID", does);
  flags.AddInt("expected_version", &expected_version, 1, kMaxInt,
               "Version that the session must have. Another one is an error. Needs --session.");
}

std::optional<int> TextSessionFlags::Check(Console& console) const {
  if (!expected_version || !session.empty()) return std::nullopt;
  return Fail(console, kExitUsage, "--expected_version needs --session");
}

std::optional<int> ConnectToTextModel(const TextCommandFlags& flags, const std::string& session,
                                      std::shared_ptr<grpc::Channel>& channel, std::string& model, Console& console) {
  if (const auto code = Connect(flags.server, channel, console)) return code;
  model = flags.model;
  if (!session.empty()) return std::nullopt;
  return ResolveModel(channel, flags.server, kLanguageModel, flags.model, model, console);
}

void TextFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Text");
  flags.AddChoice(
      "tokenization", &tokenization, {"moses", "whitespace"},
      "How a text becomes words, for models with a vocabulary of words. moses: by Moses' rules. whitespace: "
      "words are what white space separates, as in WikiText. Defaults to the model's.");
  flags.AddBool("line_end", &line_end,
                "End every line of a text with the model's end-of-line token, the last one too. For models with a "
                "vocabulary of words.");
  flags.AddBool("special_tokens", &special_tokens,
                "Read \"<eos>\" and the like in a text as that token. Otherwise it is text like any other.");
}

void TextFlags::Fill(v1::TextOptions& options) const {
  if (tokenization == "moses") options.set_tokenization(v1::TextOptions::TOKENIZATION_MOSES);
  if (tokenization == "whitespace") options.set_tokenization(v1::TextOptions::TOKENIZATION_WHITESPACE);
  options.set_append_line_end(line_end);
  options.set_special_tokens(special_tokens);
}

void OverlongFlags::AddTo(FlagTable& flags, const std::string& default_text) {
  flags.AddChoice("overlong", &overlong, {"refuse", "truncate", "windows"},
                  absl::StrCat("What becomes of a text of more tokens than the model reads at once: an error, its end "
                               "is left out, or it is read in windows that overlap. Defaults to ",
                               default_text, "."));
  flags.AddInt("max_tokens", &max_tokens, 1, kMaxInt,
               "Maximum tokens that are read at once, special ones included. Defaults to the model's limit.");
}

v1::OverlongText OverlongFlags::value() const {
  if (overlong == "refuse") return v1::OVERLONG_TEXT_REFUSE;
  if (overlong == "truncate") return v1::OVERLONG_TEXT_TRUNCATE;
  if (overlong == "windows") return v1::OVERLONG_TEXT_WINDOWS;
  return v1::OVERLONG_TEXT_UNSPECIFIED;
}

void ScoreFlags::AddTo(FlagTable& flags, bool with_order) {
  text.AddTo(flags);
  flags.AddSection("Score");
  flags.AddChoice("begin", &begin, {"nothing", "end-of-text"},
                  "What stands before a text. nothing: its first token has no probability. end-of-text: the model's "
                  "end-of-text token. Defaults to nothing.");
  if (with_order) {
    flags.AddChoice("order", &order, {"left-to-right", "all-context"},
                    "What a token's probability depends on: the tokens before it, or all others of the text (XLNet). "
                    "Defaults to left-to-right.");
  }
  flags.AddInt("segment_tokens", &segment_tokens, 1, kMaxSegmentTokens,
               "Tokens after which the memory moves on, for a Transformer-XL with same_length false. Defaults to the "
               "model's.");
  flags.AddInt("top_k", &top_k, 0, 100, "Add the N likeliest tokens at the place of each token. Needs --tokens.");
}

void ScoreFlags::Fill(v1::ScoreOptions& options) const {
  text.Fill(*options.mutable_text());
  if (begin == "nothing") options.set_begin(v1::ScoreOptions::BEGIN_NOTHING);
  if (begin == "end-of-text") options.set_begin(v1::ScoreOptions::BEGIN_END_OF_TEXT);
  if (order == "left-to-right") options.set_order(v1::ScoreOptions::ORDER_LEFT_TO_RIGHT);
  if (order == "all-context") options.set_order(v1::ScoreOptions::ORDER_ALL_CONTEXT);
  options.set_top_k(top_k);
  if (segment_tokens) options.set_segment_tokens(*segment_tokens);
}

void GenerateFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Length");
  flags.AddInt("max_tokens", &max_tokens, 1, kMaxInt,
               "Maximum tokens to produce, end-of-text included. Defaults to the model's, or to 50.");
  flags.AddInt("min_tokens", &min_tokens, 0, kMaxInt,
               "Minimum tokens before the text may end. Defaults to the model's, or to 0.");
  flags.AddEach("stop", &stop, "TEXT", "The text ends before the first place where this occurs. May be given again.");
  flags.AddBool("stop_at_end", &stop_at_end,
                "End at the model's end-of-text token. The default where that token ends texts, as XLNet's.");
  flags.AddBool("keep_going", &keep_going,
                "Go on behind the end-of-text token. The default where that token ends lines, as Transformer-XL's.");
  flags.AddBool("keep_loops", &keep_loops, "Keep texts that repeat themselves without end, instead of cutting them.");
  flags.AddSection("Search");
  flags.AddBool("greedy", &greedy, "Search, even if the model's files say that it samples.");
  flags.AddInt("beam", &beam, 1, 32, "Beam size. 1 is greedy search. Defaults to the model's, or to 1.");
  flags.AddDouble(
      "length_penalty", &length_penalty, -FlagTable::kNoLimit, FlagTable::kNoLimit,
      "Exponent X in the score of a hypothesis, log-probability / length^X. Defaults to the model's, or to 1.");
  flags.AddChoice("early_stopping", &early_stopping, {"heuristic", "first", "never"},
                  "When a beam search ends. first: with enough complete hypotheses. heuristic, never: when none can "
                  "score better, at the present length or at any. Defaults to the model's, or to heuristic.");
  flags.AddInt("no_repeat_ngram", &no_repeat_ngram, 0, 128,
               "Length of token sequences that may not occur twice. 0 allows all. Defaults to the model's.");
  flags.AddDouble(
      "repetition_penalty", &repetition_penalty, 0, FlagTable::kNoLimit,
      "Penalty on tokens that were there already, in the prompt or the text. Above 1 they become less likely. "
      "Defaults to the model's, or to 1.");
  flags.AddBool("allow_unknown", &allow_unknown, "Let the model produce its token for unknown words.");
  flags.AddChoice("generation_mode", &mode, {"causal", "as-hugging-face"},
                  "How XLNet generates. causal: each token sees those before it. as-hugging-face: as Hugging Face's "
                  "generate runs it, where the prompt's tokens see each other. Defaults to causal.");
  flags.AddSection("Sampling, instead of search");
  flags.AddBool("sample", &sample, "Draw every token at random. The four flags below say so too.");
  flags.AddDouble("temperature", &temperature, 0, FlagTable::kNoLimit,
                  "Temperature of the distribution: sharper below 1, flatter above. Defaults to 1.");
  flags.AddInt("top_k", &top_k, 0, kMaxInt, "Draw from the N most likely tokens. 0 means all. Defaults to 0.");
  flags.AddDouble("top_p", &top_p, 0, 1,
                  "Draw from the most likely tokens that have this probability together. Defaults to 1.");
  flags.AddUint64("seed", &seed, "Seed of the random numbers. The same seed gives the same text. Defaults to 0.");
  text.AddTo(flags);
}

absl::Status GenerateFlags::Fill(v1::GenerateOptions& options) const {
  if (samples() && greedy) return absl::InvalidArgumentError("--greedy and the flags of sampling exclude each other");
  if (samples() && beam.value_or(1) != 1) return absl::InvalidArgumentError("sampling needs --beam=1");
  if (stop_at_end && keep_going) {
    return absl::InvalidArgumentError("--stop_at_end and --keep_going exclude each other");
  }
  if (min_tokens && max_tokens && *min_tokens > *max_tokens) {
    return absl::InvalidArgumentError("--min_tokens is more than --max_tokens");
  }
  text.Fill(*options.mutable_text());
  options.set_greedy(greedy);
  if (beam) options.set_beam_size(*beam);
  if (length_penalty) options.set_length_penalty(static_cast<float>(*length_penalty));
  if (early_stopping == "heuristic") options.set_early_stopping(v1::GenerateOptions::EARLY_STOPPING_HEURISTIC);
  if (early_stopping == "first") options.set_early_stopping(v1::GenerateOptions::EARLY_STOPPING_FIRST);
  if (early_stopping == "never") options.set_early_stopping(v1::GenerateOptions::EARLY_STOPPING_NEVER);
  if (no_repeat_ngram) options.set_no_repeat_ngram(*no_repeat_ngram);
  if (repetition_penalty) options.set_repetition_penalty(static_cast<float>(*repetition_penalty));
  if (max_tokens) options.set_max_tokens(*max_tokens);
  if (min_tokens) options.set_min_tokens(*min_tokens);
  for (const auto& [flag, value] : stop) options.add_stop(value);
  if (stop_at_end || keep_going) options.set_stop_at_end(stop_at_end);
  if (keep_loops) options.set_stop_loops(false);
  if (allow_unknown) options.set_ban_unknown(false);
  if (n) options.set_n(*n);
  options.set_top_k_alternatives(alternatives);
  if (mode == "causal") options.set_mode(v1::GenerateOptions::MODE_CAUSAL);
  if (mode == "as-hugging-face") options.set_mode(v1::GenerateOptions::MODE_AS_HUGGING_FACE);
  if (samples()) {
    options.set_beam_size(1);
    v1::GenerateOptions::Sampling& sampling = *options.mutable_sampling();
    if (temperature) sampling.set_temperature(static_cast<float>(*temperature));
    if (top_k) sampling.set_top_k(*top_k);
    if (top_p) sampling.set_top_p(static_cast<float>(*top_p));
    if (seed) sampling.set_seed(*seed);
  }
  return absl::OkStatus();
}

}  // namespace heed::client
