// SPDX-License-Identifier: Apache-2.0
// What a request to translate comes to: for each of its texts a route of one or two models; for each model a job, one
// after the other.
//
//   Plan        finds the routes, detects languages
//   StartLeg    of all texts whose next model is the same: sentences, without those that the cache has
//   AfterJob    the leg is done, or waits for sentences that other requests compute, or computes what these gave up
//   Fill        the answer
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/name_patterns.h"
#include "heed/v1/translation.pb.h"
#include "models/kinds/translator.h"
#include "models/markup/markup_document.h"
#include "server/languages/language_table.h"
#include "server/messages/translation_messages.h"
#include "server/registry/registry.h"
#include "server/scheduling/priority.h"
#include "server/translation/forced_phrases.h"
#include "server/translation/leg_text.h"
#include "server/translation/sentence_cache.h"
#include "server/translation/translation_fields.h"

namespace heed {

// Of the texts with markup that all requests have at a time. Each is in memory about four times: the message, the
// document, its units, and their sentences.
inline constexpr int64_t kMaxMarkupBytes = int64_t{256} << 20;

// Outlives the work.
struct TranslationParts {
  const LanguageTable& languages;
  SentenceCache& cache;
  std::atomic<int64_t>& markup_bytes;  // what counts for kMaxMarkupBytes
  const NamePatterns* allowed;         // the models that the request may use; null: all
};

// Of one request. Its methods are called one after the other, as JobCall calls its hooks; OnFinished for different
// tasks at the same time, and Cancel at any time.
class TranslationWork {
 public:
  using Tasks = std::vector<std::unique_ptr<Task>>;

  // What is to be done next.
  enum class Progress { kDone, kLeg, kGivenUp, kWaits };

  // The request's message outlives it. `resume` is called once after each Progress::kWaits, on any thread, unless
  // Cancel comes first. Empty: the request computes all its sentences itself.
  TranslationWork(const TranslationParts& parts, const TranslationFields& fields, std::function<void()> resume);
  // Others compute what it was to compute for them.
  ~TranslationWork();
  TranslationWork(const TranslationWork&) = delete;
  TranslationWork& operator=(const TranslationWork&) = delete;

  // Finds the routes of all texts. `find`: looks up the model of a request that names no languages. `check` is called
  // between texts. Errors name the field: INVALID_ARGUMENT, and those of LanguageTable::FindRoute. RESOURCE_EXHAUSTED
  // with a retry delay: other requests have too much markup.
  absl::Status Plan(const std::function<absl::StatusOr<ServedModel>()>& find,
                    const std::function<absl::Status()>& check);
  // Whether it may take more than one job.
  bool may_take_jobs() const;
  // The model of the next leg. Null: every text has come to its end.
  const RouteLeg* next_leg() const;
  // Bytes of the texts of the next leg, or so.
  int64_t next_bytes() const;

  // Splits the texts of the next leg into sentences. Returns the tasks to submit, of the leg's model; none if the cache
  // has them all, or others compute them. Errors as Translator::Start.
  absl::StatusOr<Tasks> StartLeg(const StartLimits& limits, Priority priority);
  // After kGivenUp: the tasks for sentences that others were computing, and that are this request's to compute now.
  Tasks TakeGivenUp();
  // In OnTaskOutput of a task that is finished without an error: others may have it.
  void OnFinished(int task, const TranslationTask& finished);
  // After the tasks that were returned are finished, or where there were none. `tasks`: the job's.
  // `check_answer`: whether an answer may take so much. CANCELLED: Cancel came while it was to wait.
  absl::StatusOr<Progress> AfterJob(absl::Span<const std::unique_ptr<Task>> tasks,
                                    absl::FunctionRef<absl::Status(int64_t bytes)> check_answer);
  // The client has gone. True: the request was waiting, `resume` will not be called, and it is for the caller to end
  // it.
  bool Cancel();

  // Whether the leg under way is the last of the texts that it is of: its sentences are the answer's.
  bool is_last_leg() const { return leg_->is_last; }
  const RouteLeg& leg() const { return leg_->route_leg; }
  // Of the tasks of a leg of plain texts, none of which the cache has: the sentence's place in its text of the request.
  SentencePlace PlaceOf(int task) const;
  int sentence_count(int text) const { return leg_->sentence_counts[static_cast<size_t>(text)]; }
  bool gives_text() const { return leg_->gives_text; }
  const SentenceDetail& detail() const { return detail_; }
  // The texts that are in the target language already, or in none, by their indices.
  std::vector<int> untranslated() const;

  // The answer. Once, after Progress::kDone.
  void Fill(v1::TranslateResponse& response);

 private:
  class Flights;

  // A text on its way.
  struct Text {
    std::string text;  // as the last leg left it
    std::shared_ptr<const Route> route;
    size_t legs_done = 0;
    std::optional<float> confidence;  // if its language was detected
    ForcedPhrases::Given given;       // by the first leg
    v1::TranslatedText answer;        // as far as it is known
  };
  struct Sentence {
    SentencePlace place;  // of its part
    std::string source;
    std::unique_ptr<TranslationTask> task;  // until it is submitted, if it is
    int submitted = -1;                     // index among the job's tasks
    SentenceCache::Sentence result;         // of a request that uses the cache: once it is there
    std::optional<size_t> same_as;          // an earlier sentence of the leg
    bool leads = false, follows = false;    // others follow; follows another
  };
  // Texts whose next model is the same.
  struct Leg {
    RouteLeg route_leg;
    bool is_last = false;
    bool gives_text = false;
    bool is_cached = false;  // flights_ knows its sentences
    std::vector<size_t> texts;
    std::vector<LegText> leg_texts;     // of each
    std::vector<size_t> first_parts;    // of each, among all parts
    std::vector<size_t> texts_of;       // of each part
    std::vector<std::string> trailing;  // of each part
    std::vector<Sentence> sentences;    // in order
    std::vector<int> sentence_counts;   // of each text of the request
    std::vector<size_t> submitted;      // the sentences of the job's tasks
  };

  absl::StatusOr<std::shared_ptr<const Route>> RouteOf(const std::string& source_language);
  absl::Status PlanDetected(const RouteQuery& query, const std::function<absl::Status()>& check);
  // Takes the request's share of kMaxMarkupBytes.
  absl::Status ReserveMarkup();
  // Whether texts in the language are in the one that the request asks for.
  bool IsTarget(const LanguageTag& language) const;
  bool Continues(const Text& text) const { return text.legs_done < text.route->legs.size(); }
  absl::StatusOr<TranslateOptions> OptionsOfLeg(const Translator& translator, bool is_last) const;
  // Finds out which sentences this request computes, and returns these.
  std::vector<size_t> ClaimSentences(const std::vector<SourceText>& sources, const TranslateOptions& options,
                                     Priority priority);
  Tasks SubmitSentences(const std::vector<size_t>& which);
  FinishedSentence ResultOf(const Sentence& sentence, absl::Span<const std::unique_ptr<Task>> tasks) const;
  absl::Status FinishLeg(absl::Span<const std::unique_ptr<Task>> tasks,
                         absl::FunctionRef<absl::Status(int64_t bytes)> check_answer);
  void FinishText(size_t index, const LegText& leg_text, absl::Span<const LegText::Part> parts);

  const TranslationParts parts_;
  const TranslationFields fields_;
  MarkupRules rules_;
  std::optional<ForcedPhrases> phrases_;
  SentenceDetail detail_;
  int64_t markup_bytes_ = 0;  // reserved
  std::vector<Text> texts_;
  absl::flat_hash_map<std::string, std::shared_ptr<const Route>> routes_;  // by source language
  std::shared_ptr<const Route> route_of_none_;  // of a request without texts, whose answer still names a model
  std::optional<Leg> leg_;                      // the one under way
  const std::shared_ptr<Flights> flights_;      // null: the request does not use the cache
};

}  // namespace heed
