// SPDX-License-Identifier: Apache-2.0
#include "client/commands/translate_flags.h"

namespace heed::client {

void TranslateFlags::AddLanguagesTo(FlagTable& flags) {
  flags.AddString(
      "from", &from, "LANGUAGE",
      "Language of the texts, as de or pt-BR. auto detects it for each text. Without --model, the languages "
      "choose the model, or two in a chain; heed languages lists them.");
  flags.AddString("to", &to, "LANGUAGE", "Language to translate to.");
}

void TranslateFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Search");
  flags.AddInt("beam", &beam, 1, 32, "Beam size. 1 is greedy search. Defaults to the model's.");
  flags.AddDouble(
      "length_penalty", &length_penalty, -FlagTable::kNoLimit, FlagTable::kNoLimit,
      "Exponent X in the score of a hypothesis, log-probability / length^X. Defaults to the model's, or to 1.");
  flags.AddChoice("early_stopping", &early_stopping, {"heuristic", "first", "never"},
                  "When a beam search ends. first: with enough complete hypotheses. heuristic, never: when none can "
                  "score better, at the present length or at any. Defaults to the model's, or to heuristic.");
  flags.AddInt("min_tokens", &min_tokens, 0, 1000000, "Minimum tokens before a sentence may end. Defaults to 0.");
  flags.AddInt("max_tokens", &max_tokens, 1, 1000000,
               "Maximum tokens of a translated sentence, with its end. Defaults to 3 x source tokens + 50.");
  flags.AddInt("no_repeat_ngram", &no_repeat_ngram, 0, 1000000,
               "Length of token sequences that may not occur twice. 0 allows all. Defaults to the model's.");
  flags.AddString("prefix", &prefix, "TEXT", "Text with which every translation begins.");
  flags.AddBool("no_split", &no_split, "Translate each line as a whole, not sentence by sentence.");
  flags.AddBool("keep_loops", &keep_loops,
                "Keep translations that repeat themselves without end, instead of cutting them.");
  flags.AddSection("Sampling, instead of search");
  flags.AddBool("sample", &sample, "Draw every token at random.");
  flags.AddDouble("temperature", &temperature, 0, FlagTable::kNoLimit,
                  "Temperature of the distribution: sharper below 1, flatter above. Needs --sample. Defaults to 1.");
  flags.AddInt("top_k", &top_k, 0, 1000000,
               "Draw from the N most likely tokens. 0 means all. Needs --sample. Defaults to 0.");
  flags.AddDouble(
      "top_p", &top_p, 0, 1,
      "Draw from the most likely tokens that have this probability together. Needs --sample. Defaults to 1.");
  flags.AddUint64(
      "seed", &seed,
      "Seed of the random numbers. The same seed gives the same translation. Needs --sample. Defaults to 0.");
}

absl::Status TranslateFlags::Fill(v1::TranslateOptions& options) const {
  if (!sample && (temperature || top_k || top_p || seed)) {
    return absl::InvalidArgumentError("--temperature, --top_k, --top_p and --seed need --sample");
  }
  if (sample && beam.value_or(1) != 1) return absl::InvalidArgumentError("--sample needs --beam=1");
  if (n_best && beam && *n_best > *beam) return absl::InvalidArgumentError("--n_best is more than --beam");
  if (min_tokens && max_tokens && *min_tokens > *max_tokens) {
    return absl::InvalidArgumentError("--min_tokens is more than --max_tokens");
  }
  if (beam) options.set_beam_size(*beam);
  if (length_penalty) options.set_length_penalty(static_cast<float>(*length_penalty));
  if (early_stopping == "heuristic") options.set_early_stopping(v1::TranslateOptions::EARLY_STOPPING_HEURISTIC);
  if (early_stopping == "first") options.set_early_stopping(v1::TranslateOptions::EARLY_STOPPING_FIRST);
  if (early_stopping == "never") options.set_early_stopping(v1::TranslateOptions::EARLY_STOPPING_NEVER);
  if (n_best) options.set_n_best(*n_best);
  if (min_tokens) options.set_min_tokens(*min_tokens);
  if (max_tokens) options.set_max_tokens(*max_tokens);
  if (no_repeat_ngram) options.set_no_repeat_ngram(*no_repeat_ngram);
  options.set_target_prefix(prefix);
  if (no_split) options.set_split_sentences(false);
  if (keep_loops) options.set_stop_loops(false);
  if (sample) {
    options.set_beam_size(1);
    v1::TranslateOptions::Sampling& sampling = *options.mutable_sampling();
    if (temperature) sampling.set_temperature(static_cast<float>(*temperature));
    if (top_k) sampling.set_top_k(*top_k);
    if (top_p) sampling.set_top_p(static_cast<float>(*top_p));
    if (seed) sampling.set_seed(*seed);
  }
  return absl::OkStatus();
}

}  // namespace heed::client
