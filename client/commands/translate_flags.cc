#include "client/commands/translate_flags.h"

namespace heed::client {

void TranslateFlags::AddTo(FlagTable& flags) {
  flags.AddSection("Search");
  flags.AddInt("beam", &beam, 1, 32, "Beam size; 1 is greedy search (default: the model's).");
  flags.AddDouble("length_penalty", &length_penalty, -FlagTable::kNoLimit, FlagTable::kNoLimit,
                  "Score of a hypothesis = log-probability / length^X (default: the model's, else 1).");
  flags.AddChoice("early_stopping", &early_stopping, {"heuristic", "first", "never"},
                  "When a beam search ends: when no running hypothesis scores better at its present length, as soon as "
                  "enough hypotheses are complete, or when none can score better at any length (default: the model's, "
                  "else heuristic).");
  flags.AddInt("min_tokens", &min_tokens, 0, 1000000, "A sentence does not end before N tokens (default 0).");
  flags.AddInt("max_tokens", &max_tokens, 1, 1000000,
               "Most tokens of a translated sentence, its end included (default: 3 x source tokens + 50).");
  flags.AddInt("no_repeat_ngram", &no_repeat_ngram, 0, 1000000,
               "No sequence of N tokens occurs twice; 0 is off (default: the model's).");
  flags.AddString("prefix", &prefix, "TEXT", "Every translation begins with TEXT.");
  flags.AddBool("no_split", &no_split, "Translate a line as a whole, not sentence by sentence.");
  flags.AddBool("keep_loops", &keep_loops, "Do not cut a translation that repeats itself without end.");
  flags.AddSection("Sampling, instead of search");
  flags.AddBool("sample", &sample, "Draw every token at random.");
  flags.AddDouble("temperature", &temperature, 0, FlagTable::kNoLimit,
                  "Sharper below 1, flatter above (with --sample; default 1).");
  flags.AddInt("top_k", &top_k, 0, 1000000, "Draw among the N likeliest tokens; 0: all (with --sample; default 0).");
  flags.AddDouble("top_p", &top_p, 0, 1,
                  "Draw among the likeliest tokens that make up this much probability (with --sample; default 1).");
  flags.AddUint64("seed", &seed, "The same seed gives the same translation (with --sample; default 0).");
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
