// SPDX-License-Identifier: Apache-2.0
// A Translator without a network: it translates by turning letters into capitals, one word at each step, so that a test
// can tell what every sentence must become and when. Steps can be held, which lets a test act between two of them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "models/kinds/translator.h"
#include "tests/support/step_gate.h"

namespace heed {

// A sentence ends behind '.', '!' or '?' where white space follows. The first step encodes and gives the first word; a
// sentence of n words takes n steps. Scores are minus the number of words; hypothesis k > 0 ends in "#k". Three words
// act: "fail" fails its task with INTERNAL, "loop" ends it with kLoop, "long" with kLength. Start refuses beam_size out
// of 1..32, n_best > beam_size and sampling with a beam, as real translators do. Each word is aligned with itself; the
// words of a forced phrase become its target. "--." is a sentence that needs no step. Thread-safe.
class FakeTranslator : public Translator {
 public:
  explicit FakeTranslator(std::string name = "fake", Precision precision = Precision::kF32);

  const ModelSpec& spec() const override { return spec_; }
  const TranslateOptions& default_options() const override { return default_options_; }
  const std::vector<LanguagePair>& language_pairs() const override { return language_pairs_; }
  void set_language_pairs(std::vector<LanguagePair> pairs) { language_pairs_ = std::move(pairs); }  // before it is used
  void set_architecture(const std::string& name) { spec_.architecture = name; }                     // before it is used
  void set_weights(int64_t weights) { spec_.weights = weights; }                                    // before it is used
  void set_default_options(const TranslateOptions& options) { default_options_ = options; }         // before it is used
  using Translator::Start;
  absl::StatusOr<StartedTranslation> Start(absl::Span<const SourceText> texts, const TranslateOptions& options,
                                           const StartLimits& limits) const override;
  void Step(absl::Span<Task* const> tasks, Context& context) const override;

  // From now on steps wait, before they do anything.
  void Hold() { gate_.Hold(); }
  // Waits until a step is waiting; then nothing of its batch changes until Allow or Release.
  void WaitUntilHeld() const { gate_.WaitUntilHeld(); }
  // Lets `steps` more steps pass, and returns when these have begun.
  void Allow(int steps) { gate_.Allow(steps); }
  // Lets all steps pass.
  void Release() { gate_.Release(); }

  // Tasks in each step so far, in order.
  std::vector<int> batch_sizes() const;
  // The options that Start was last called with.
  TranslateOptions last_options() const;

 private:
  ModelSpec spec_;
  TranslateOptions default_options_;
  std::vector<LanguagePair> language_pairs_;

  mutable StepGate gate_;
  mutable Mutex mutex_;
  mutable std::vector<int> batch_sizes_ GUARDED_BY(mutex_);
  mutable TranslateOptions last_options_ GUARDED_BY(mutex_);
};

}  // namespace heed
