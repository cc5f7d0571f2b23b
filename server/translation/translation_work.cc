// SPDX-License-Identifier: Apache-2.0
#include "server/translation/translation_work.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "models/sentences/sentences.h"
#include "server/languages/language_detector.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

// A request of more sentences shares none of them with others: these would wait for it for long.
constexpr size_t kMaxSharedSentences = 32;

// What texts with markup need, about, to be translated.
constexpr std::chrono::seconds kMarkupRetryDelay(1);

absl::Status CheckFormat(v1::TextFormat format, const v1::TranslateOptions& options) {
  if (!v1::TextFormat_IsValid(format)) {
    return InvalidField("format", static_cast<int>(format), ", known are 0 to ", static_cast<int>(v1::TextFormat_MAX));
  }
  if (format > v1::TEXT_FORMAT_PLAIN && !options.target_prefix().empty()) {
    return InvalidField("options.target_prefix", "'", options.target_prefix(), "', but format is ",
                        v1::TextFormat_Name(format), ": only plain texts can begin with one");
  }
  return absl::OkStatus();
}

MarkupRules ToRules(const v1::MarkupOptions& options) {
  MarkupRules rules;
  rules.ignored.assign(options.ignored_elements().begin(), options.ignored_elements().end());
  rules.splitting.assign(options.splitting_elements().begin(), options.splitting_elements().end());
  rules.inlined.assign(options.inline_elements().begin(), options.inline_elements().end());
  if (options.has_detect_structure()) rules.detect_structure = options.detect_structure();
  return rules;
}

// The part of `forced` that is in the sentence, in bytes of it.
std::vector<ForcedPhrase> ForcedIn(const std::vector<ForcedPhrase>& forced, size_t begin, size_t end) {
  std::vector<ForcedPhrase> own;
  auto next = std::lower_bound(forced.begin(), forced.end(), begin,
                               [](const ForcedPhrase& phrase, size_t byte) { return phrase.source.end <= byte; });
  for (; next != forced.end() && next->source.begin < end; ++next) {
    own.push_back({{next->source.begin - begin, next->source.end - begin}, next->target});
  }
  return own;
}

}  // namespace

// The sentences of a request's leg that others compute, or wait for. Shared with those: it may outlive the request.
class TranslationWork::Flights : public SentenceCache::Follower, public std::enable_shared_from_this<Flights> {
 public:
  using Arrived = std::vector<std::pair<size_t, SentenceCache::Sentence>>;

  Flights(SentenceCache& cache, std::function<void()> resume) : cache_(cache), resume_(std::move(resume)) {}

  // A leg begins with these sentences; nothing of the one before is under way.
  void Begin(std::shared_ptr<const Model> model, Priority priority, std::vector<SentenceKey> keys) {
    model_ = std::move(model);
    priority_ = priority;
    keys_ = std::move(keys);
  }
  const SentenceKey& key(size_t index) const { return keys_[index]; }

  // `shared`: others may follow the request, and it may follow others.
  SentenceCache::Claim Take(size_t index, bool shared) {
    if (!shared) return cache_.Take(keys_[index], model_, priority_, nullptr, index);
    {
      MutexLock lock(mutex_);
      ++outstanding_;  // before anybody can call
    }
    SentenceCache::Claim claim = cache_.Take(keys_[index], model_, priority_, shared_from_this(), index);
    if (claim.kind != SentenceCache::Claim::Kind::kFollows) {
      MutexLock lock(mutex_);
      --outstanding_;
    }
    return claim;
  }
  void Put(size_t index, SentenceCache::Sentence sentence) {
    cache_.Put(keys_[index], model_, priority_, std::move(sentence));
  }
  void GiveUp(size_t index) { cache_.GiveUp(keys_[index], priority_); }
  void Leave(size_t index) { cache_.Leave(keys_[index], priority_, *this, index); }

  void OnSentence(size_t index, SentenceCache::Sentence sentence) override {
    bool resumes = false, gives_up = false;
    {
      MutexLock lock(mutex_);
      --outstanding_;
      if (closed_) {
        gives_up = sentence == nullptr;
      } else {
        if (sentence != nullptr) {
          arrived_.emplace_back(index, std::move(sentence));
        } else {
          given_up_.push_back(index);
        }
        resumes = waiting_ && (outstanding_ == 0 || !given_up_.empty());
        if (resumes) waiting_ = false;
      }
    }
    if (gives_up) GiveUp(index);
    if (resumes) resume_();
  }

  // Sentences that have come, and those that are this request's to compute now, since the last call. OK: the request
  // waits for others from now on, if there is neither; `waits` says so. It may be resumed before this returns.
  absl::Status TakeArrived(Arrived& arrived, std::vector<size_t>& given_up, bool& waits) {
    MutexLock lock(mutex_);
    arrived = std::exchange(arrived_, {});
    given_up = std::exchange(given_up_, {});
    waits = false;
    if (outstanding_ == 0 || !given_up.empty()) return absl::OkStatus();
    if (cancelled_) return absl::CancelledError("the client cancelled the request");
    // What has come is kept for the call that has it all.
    arrived_ = std::exchange(arrived, {});
    waits = waiting_ = true;
    return absl::OkStatus();
  }

  // True: it was waiting.
  bool Cancel() {
    MutexLock lock(mutex_);
    cancelled_ = true;
    return std::exchange(waiting_, false);
  }
  // The request is over. Returns the sentences that it was to compute from now on.
  std::vector<size_t> Close() {
    MutexLock lock(mutex_);
    closed_ = true;
    return std::exchange(given_up_, {});
  }

 private:
  SentenceCache& cache_;
  const std::function<void()> resume_;
  // Of the leg.
  std::shared_ptr<const Model> model_;
  Priority priority_ = kDefaultPriority;
  std::vector<SentenceKey> keys_;

  Mutex mutex_;
  int64_t outstanding_ GUARDED_BY(mutex_) = 0;  // of those that it follows
  Arrived arrived_ GUARDED_BY(mutex_);
  std::vector<size_t> given_up_ GUARDED_BY(mutex_);
  bool waiting_ GUARDED_BY(mutex_) = false;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

TranslationWork::TranslationWork(const TranslationParts& parts, const TranslationFields& fields,
                                 std::function<void()> resume)
    : parts_(parts),
      fields_(fields),
      flights_(resume && parts.cache.enabled() ? std::make_shared<Flights>(parts.cache, std::move(resume)) : nullptr) {}

TranslationWork::~TranslationWork() {
  parts_.markup_bytes -= markup_bytes_;
  if (flights_ == nullptr) return;
  for (const size_t index : flights_->Close()) flights_->GiveUp(index);
  if (!leg_ || !leg_->is_cached) return;
  for (size_t i = 0; i < leg_->sentences.size(); ++i) {
    const Sentence& sentence = leg_->sentences[i];
    if (sentence.result != nullptr) continue;
    if (sentence.leads) flights_->GiveUp(i);
    if (sentence.follows) flights_->Leave(i);
  }
}

absl::Status TranslationWork::Plan(const std::function<absl::StatusOr<ServedModel>()>& find,
                                   const std::function<absl::Status()>& check) {
  HEED_RETURN_IF_ERROR(CheckFormat(fields_.format, fields_.options));
  HEED_RETURN_IF_ERROR(ReserveMarkup());
  HEED_ASSIGN_OR_RETURN(phrases_, ForcedPhrases::Make(fields_));
  rules_ = ToRules(fields_.markup);
  detail_ = ToSentenceDetail(fields_.options);
  texts_.resize(static_cast<size_t>(fields_.texts.size()));
  for (size_t i = 0; i < texts_.size(); ++i) texts_[i].text = fields_.texts[static_cast<int>(i)];
  std::shared_ptr<const Route> route;
  if (!fields_.has_languages()) {
    HEED_ASSIGN_OR_RETURN(ServedModel served, find());
    RouteLeg leg;
    leg.model = served.model->spec().name;
    leg.served = std::move(served);
    route = std::make_shared<const Route>(Route{"", "", {std::move(leg)}});
  } else {
    const RouteQuery query = {fields_.model, fields_.model_version, fields_.source_language, fields_.target_language,
                              parts_.allowed};
    HEED_ASSIGN_OR_RETURN(const bool detects, parts_.languages.NeedsDetection(query));
    if (detects) return PlanDetected(query, check);
    HEED_ASSIGN_OR_RETURN(route, RouteOf(fields_.source_language));
  }
  for (Text& text : texts_) text.route = route;
  if (texts_.empty()) route_of_none_ = std::move(route);
  return absl::OkStatus();
}

absl::Status TranslationWork::ReserveMarkup() {
  if (fields_.format <= v1::TEXT_FORMAT_PLAIN) return absl::OkStatus();
  for (const std::string& text : fields_.texts) markup_bytes_ += static_cast<int64_t>(text.size());
  const int64_t others = parts_.markup_bytes.fetch_add(markup_bytes_);
  if (others == 0 || others + markup_bytes_ <= kMaxMarkupBytes) return absl::OkStatus();
  absl::Status full =
      absl::ResourceExhaustedError(absl::StrCat("texts with markup of ", others, " bytes are under way, ",
                                                markup_bytes_, " more would exceed ", kMaxMarkupBytes));
  return WithRetryDelay(WithReason(std::move(full), "queue_full"), kMarkupRetryDelay);
}

absl::StatusOr<std::shared_ptr<const Route>> TranslationWork::RouteOf(const std::string& source_language) {
  std::shared_ptr<const Route>& known = routes_[source_language];
  if (known == nullptr) {
    HEED_ASSIGN_OR_RETURN(Route route,
                          parts_.languages.FindRoute({fields_.model, fields_.model_version, source_language,
                                                      fields_.target_language, parts_.allowed}));
    known = std::make_shared<const Route>(std::move(route));
  }
  return known;
}

bool TranslationWork::IsTarget(const LanguageTag& language) const {
  const absl::StatusOr<LanguageTag> target = ParseLanguageTag(fields_.target_language);
  return target.ok() && target->language == language.language;
}

absl::Status TranslationWork::PlanDetected(const RouteQuery& query, const std::function<absl::Status()>& check) {
  HEED_ASSIGN_OR_RETURN(const std::vector<LanguageTag> sources, parts_.languages.SourcesToDetect(query));
  for (Text& text : texts_) {
    HEED_RETURN_IF_ERROR(check());
    const std::vector<LanguageGuess> guesses =
        DetectLanguage(text.text, sources, fields_.format > v1::TEXT_FORMAT_PLAIN);
    text.confidence = guesses.empty() ? 0 : guesses[0].confidence;
    if (guesses.empty()) {  // nothing in it can be translated
      static const auto* const kNoRoute = new std::shared_ptr<const Route>(std::make_shared<const Route>());
      text.route = *kNoRoute;
      continue;
    }
    // Where nothing but the script tells, a text is rather one that is to be translated.
    size_t chosen = 0;
    while (chosen + 1 < guesses.size() && guesses[chosen].confidence == 0 && IsTarget(guesses[chosen].language))
      ++chosen;
    HEED_ASSIGN_OR_RETURN(text.route, RouteOf(guesses[chosen].language.ToString()));
  }
  return absl::OkStatus();
}

bool TranslationWork::may_take_jobs() const {
  if (flights_ != nullptr) return true;
  const Route* first = texts_.empty() ? nullptr : texts_[0].route.get();
  return std::any_of(texts_.begin(), texts_.end(),
                     [first](const Text& text) { return text.route->legs.size() > 1 || text.route.get() != first; });
}

const RouteLeg* TranslationWork::next_leg() const {
  for (const Text& text : texts_) {
    if (Continues(text)) return &text.route->legs[text.legs_done];
  }
  return nullptr;
}

int64_t TranslationWork::next_bytes() const {
  int64_t bytes = 0;
  for (const Text& text : texts_) {
    if (Continues(text)) bytes += static_cast<int64_t>(text.text.size());
  }
  return bytes;
}

absl::StatusOr<TranslateOptions> TranslationWork::OptionsOfLeg(const Translator& translator, bool is_last) const {
  HEED_ASSIGN_OR_RETURN(TranslateOptions options,
                        ToTranslateOptions(fields_.options, translator.default_options(), fields_.stream && is_last));
  options.align = fields_.format > v1::TEXT_FORMAT_PLAIN;
  if (is_last) return options;
  // What the request says of its answer is about the last model's.
  options.target_prefix.clear();
  options.min_tokens = options.max_tokens = 0;
  options.n_best = 1;
  options.scores = options.return_tokens = options.return_attention = false;
  return options;
}

absl::StatusOr<TranslationWork::Tasks> TranslationWork::StartLeg(const StartLimits& limits, Priority priority) {
  Leg leg;
  leg.route_leg = *next_leg();
  for (size_t i = 0; i < texts_.size(); ++i) {
    const Text& text = texts_[i];
    if (!Continues(text)) continue;
    const RouteLeg& own = text.route->legs[text.legs_done];
    const bool is_last = text.legs_done + 1 == text.route->legs.size();
    if (own.served.model != leg.route_leg.served.model) continue;
    if (leg.texts.empty()) leg.is_last = is_last;
    if (is_last == leg.is_last) leg.texts.push_back(i);
  }
  const auto& translator = ModelAs<Translator>(*leg.route_leg.served.model);
  HEED_ASSIGN_OR_RETURN(const TranslateOptions options, OptionsOfLeg(translator, leg.is_last));
  if (static_cast<int64_t>(leg.texts.size()) > limits.max_tasks) {
    return InvalidField("texts", leg.texts.size(), " texts in one request, at most ", limits.max_tasks);
  }
  std::vector<SourceText> sources;
  const LegStyle style{fields_.format > v1::TEXT_FORMAT_PLAIN ? fields_.format : v1::TEXT_FORMAT_PLAIN, rules_,
                       *phrases_};
  for (const size_t i : leg.texts) {
    HEED_RETURN_IF_ERROR(limits.Check());
    Text& text = texts_[i];
    HEED_ASSIGN_OR_RETURN(LegText leg_text, LegText::Make(text.text, i, text.route->legs[text.legs_done].pair,
                                                          text.legs_done > 0, text.given, style));
    leg.first_parts.push_back(sources.size());
    leg_text.AppendSources(sources);
    leg.texts_of.resize(sources.size(), i);
    leg.leg_texts.push_back(std::move(leg_text));
  }
  HEED_ASSIGN_OR_RETURN(StartedTranslation started, translator.Start(absl::MakeConstSpan(sources), options, limits));
  leg.gives_text = options.stream;
  leg.trailing = std::move(started.trailing);
  leg.sentence_counts.resize(texts_.size());
  for (size_t i = 0; i < started.tasks.size(); ++i) {
    Sentence& sentence = leg.sentences.emplace_back();
    sentence.place = std::move(started.places[i]);
    sentence.source = started.tasks[i]->source();
    sentence.task = std::move(started.tasks[i]);
    leg.sentence_counts[leg.texts_of[static_cast<size_t>(sentence.place.text)]] = sentence.place.sentence + 1;
  }
  leg_ = std::move(leg);
  return SubmitSentences(ClaimSentences(sources, options, priority));
}

std::vector<size_t> TranslationWork::ClaimSentences(const std::vector<SourceText>& sources,
                                                    const TranslateOptions& options, Priority priority) {
  std::vector<size_t> own;
  std::vector<Sentence>& sentences = leg_->sentences;
  if (flights_ == nullptr || options.sample) {
    for (size_t i = 0; i < sentences.size(); ++i) own.push_back(i);
    return own;
  }
  leg_->is_cached = true;
  std::vector<SentenceKey> keys;
  int part_with_prefix = -1;  // the last one whose prefix is a sentence's already
  for (const Sentence& sentence : sentences) {
    const SourceText& text = sources[static_cast<size_t>(sentence.place.text)];
    SentenceKey& key = keys.emplace_back();
    key.model = leg_->route_leg.served.model.get();
    key.source = sentence.source;
    key.code = text.code;
    key.forced = ForcedIn(text.forced, sentence.place.begin,
                          sentence.place.begin + sentence.source.size() - sentence.place.code_bytes);
    key.options = options;
    // The prefix is that of the first sentence of a text that needs the model.
    if (part_with_prefix == sentence.place.text) key.options.target_prefix.clear();
    if (!sentence.task->finished()) part_with_prefix = sentence.place.text;
  }
  flights_->Begin(leg_->route_leg.served.model, priority, std::move(keys));
  const bool shared = sentences.size() <= kMaxSharedSentences;
  absl::flat_hash_map<absl::string_view, std::vector<size_t>> by_source;
  for (size_t i = 0; i < sentences.size(); ++i) {
    Sentence& sentence = sentences[i];
    if (sentence.task->finished()) {  // nothing to compute: it is its own translation
      own.push_back(i);
      continue;
    }
    std::vector<size_t>& same = by_source[sentence.source];
    const auto earlier =
        std::find_if(same.begin(), same.end(), [&](size_t j) { return flights_->key(j) == flights_->key(i); });
    if (earlier != same.end()) {
      sentence.same_as = *earlier;
      continue;
    }
    if (same.size() < 8) same.push_back(i);  // of one source with ever other options, the rest is computed
    SentenceCache::Claim claim = flights_->Take(i, shared);
    switch (claim.kind) {
      case SentenceCache::Claim::Kind::kFound:
        sentence.result = std::move(claim.sentence);
        break;
      case SentenceCache::Claim::Kind::kLeads:
        sentence.leads = shared;
        own.push_back(i);
        break;
      case SentenceCache::Claim::Kind::kFollows:
        sentence.follows = true;
        break;
    }
  }
  return own;
}

TranslationWork::Tasks TranslationWork::SubmitSentences(const std::vector<size_t>& which) {
  Tasks tasks;
  leg_->submitted = which;
  for (const size_t i : which) {
    leg_->sentences[i].submitted = static_cast<int>(tasks.size());
    tasks.push_back(std::move(leg_->sentences[i].task));
  }
  return tasks;
}

TranslationWork::Tasks TranslationWork::TakeGivenUp() {
  std::vector<size_t> which;
  for (size_t i = 0; i < leg_->sentences.size(); ++i) {
    const Sentence& sentence = leg_->sentences[i];
    if (sentence.leads && sentence.task != nullptr) which.push_back(i);
  }
  return SubmitSentences(which);
}

void TranslationWork::OnFinished(int task, const TranslationTask& finished) {
  if (!leg_->is_cached) return;
  const size_t index = leg_->submitted[static_cast<size_t>(task)];
  Sentence& sentence = leg_->sentences[index];
  sentence.result = std::make_shared<const SentenceResult>(finished.result());
  if (sentence.leads || finished.result().source_token_count > 0) flights_->Put(index, sentence.result);
}

absl::StatusOr<TranslationWork::Progress> TranslationWork::AfterJob(
    absl::Span<const std::unique_ptr<Task>> tasks, absl::FunctionRef<absl::Status(int64_t bytes)> check_answer) {
  if (leg_ && leg_->is_cached) {
    Flights::Arrived arrived;
    std::vector<size_t> given_up;
    bool waits = false;
    HEED_RETURN_IF_ERROR(flights_->TakeArrived(arrived, given_up, waits));
    if (waits) return Progress::kWaits;  // this may be running on another thread already
    for (auto& [index, sentence] : arrived) leg_->sentences[index].result = std::move(sentence);
    for (const size_t index : given_up) {
      leg_->sentences[index].follows = false;
      leg_->sentences[index].leads = true;
    }
    if (!given_up.empty()) return Progress::kGivenUp;
  }
  if (leg_) HEED_RETURN_IF_ERROR(FinishLeg(tasks, check_answer));
  return next_leg() == nullptr ? Progress::kDone : Progress::kLeg;
}

bool TranslationWork::Cancel() { return flights_ != nullptr && flights_->Cancel(); }

FinishedSentence TranslationWork::ResultOf(const Sentence& sentence,
                                           absl::Span<const std::unique_ptr<Task>> tasks) const {
  const Sentence& computed = sentence.same_as ? leg_->sentences[*sentence.same_as] : sentence;
  const SentenceResult* result = computed.result.get();
  if (result == nullptr) {
    result = &static_cast<const TranslationTask&>(*tasks[static_cast<size_t>(computed.submitted)]).result();
  }
  return {sentence.source, result, &sentence.place};
}

absl::Status TranslationWork::FinishLeg(absl::Span<const std::unique_ptr<Task>> tasks,
                                        absl::FunctionRef<absl::Status(int64_t bytes)> check_answer) {
  std::vector<FinishedSentence> finished;
  int64_t bytes = 0;
  for (const Sentence& sentence : leg_->sentences) {
    finished.push_back(ResultOf(sentence, tasks));
    bytes += AnswerBytes(*finished.back().result);
  }
  // What was computed once may be in the answer many times, and so is what stands between the texts of markup.
  if (fields_.format > v1::TEXT_FORMAT_PLAIN) {
    const int64_t copies = leg_->is_last ? std::max(1, fields_.options.n_best()) : 1;
    for (const size_t i : leg_->texts) bytes += copies * static_cast<int64_t>(texts_[i].text.size());
  }
  HEED_RETURN_IF_ERROR(check_answer(bytes));
  std::vector<LegText::Part> parts;
  size_t begin = 0;
  for (size_t part = 0; part < leg_->trailing.size(); ++part) {
    size_t end = begin;
    while (end < finished.size() && static_cast<size_t>(leg_->sentences[end].place.text) == part) ++end;
    parts.push_back({absl::MakeConstSpan(finished).subspan(begin, end - begin), leg_->trailing[part]});
    begin = end;
  }
  for (size_t i = 0; i < leg_->texts.size(); ++i) {
    const LegText& leg_text = leg_->leg_texts[i];
    FinishText(leg_->texts[i], leg_text, absl::MakeConstSpan(parts).subspan(leg_->first_parts[i], leg_text.parts()));
  }
  leg_.reset();
  return absl::OkStatus();
}

void TranslationWork::FinishText(size_t index, const LegText& leg_text, absl::Span<const LegText::Part> parts) {
  Text& text = texts_[index];
  v1::TranslatedText& answer = text.answer;
  const int32_t source_tokens = answer.source_token_count();
  const bool is_later_leg = text.legs_done > 0;
  answer.set_score(0);
  answer.set_source_token_count(0);
  answer.set_target_token_count(0);
  for (const LegText::Part& part : parts) {
    AddSentences(part.sentences, leg_->is_last ? detail_ : SentenceDetail(), answer);
  }
  std::string translation = leg_text.Translation(parts, 0);
  // A text of nothing but white space comes back empty.
  if (!leg_text.has_markup() && answer.source_token_count() == 0 && IsWhiteSpace(translation)) translation.clear();
  if (leg_->is_last) {
    for (int rank = 1; rank < fields_.options.n_best(); ++rank) {
      answer.add_alternatives(leg_text.Translation(parts, static_cast<size_t>(rank)));
    }
  }
  // The source's tokens are those of the first model.
  if (is_later_leg) answer.set_source_token_count(source_tokens);
  ++text.legs_done;
  text.text = std::move(translation);
}

SentencePlace TranslationWork::PlaceOf(int task) const {
  SentencePlace place = leg_->sentences[leg_->submitted[static_cast<size_t>(task)]].place;
  place.text = static_cast<int>(leg_->texts_of[static_cast<size_t>(place.text)]);
  return place;
}

std::vector<int> TranslationWork::untranslated() const {
  std::vector<int> texts;
  for (size_t i = 0; i < texts_.size(); ++i) {
    if (texts_[i].route->legs.empty()) texts.push_back(static_cast<int>(i));
  }
  return texts;
}

void TranslationWork::Fill(v1::TranslateResponse& response) {
  if (route_of_none_ != nullptr && !route_of_none_->legs.empty()) {
    response.set_model(route_of_none_->legs.back().model);
    response.set_model_version(route_of_none_->legs.back().served.version);
  }
  for (Text& text : texts_) {
    v1::TranslatedText& answer = text.answer;
    answer.set_text(std::move(text.text));
    if (answer.finish_reason() == v1::TRANSLATION_FINISH_REASON_UNSPECIFIED) {
      answer.set_finish_reason(v1::TRANSLATION_FINISH_REASON_EOS);
    }
    if (!text.route->legs.empty() && response.model().empty()) {
      response.set_model(text.route->legs.back().model);
      response.set_model_version(text.route->legs.back().served.version);
    }
    if (fields_.has_languages()) {
      answer.set_source_language(text.route->source_language);
      if (text.confidence) answer.set_detection_confidence(*text.confidence);
      for (const RouteLeg& leg : text.route->legs) {
        v1::TranslationLeg& to = *answer.add_route();
        to.set_model(leg.model);
        to.set_model_version(leg.served.version);
        to.set_source_language(leg.pair.source);
        to.set_target_language(leg.pair.target);
      }
    }
    *response.add_translations() = std::move(answer);
  }
}

}  // namespace heed
