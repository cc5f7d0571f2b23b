// SPDX-License-Identifier: Apache-2.0
#include "server/languages/language_table.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/invalid_argument.h"
#include "base/status_macros.h"
#include "server/scheduling/refusal.h"

namespace heed {
namespace {

constexpr char kSourceField[] = "source_language";
constexpr char kTargetField[] = "target_language";
constexpr char kEnglish[] = "en";
constexpr char kRecurrent[] = "rnn-seq2seq";
constexpr size_t kMaxShown = 20;      // languages in a message
constexpr int kMaxLookUps = 3;        // while models come and go
constexpr size_t kMaxSnapshots = 64;  // as many lists of allowed models
constexpr int kNoTag = -1;

// A language as an index of the snapshot's tags, and how well it does for a wanted one.
struct Match {
  int tag = 0;
  LanguageMatch fit = LanguageMatch::kNone;
};
using Matches = std::vector<Match>;

LanguageMatch FitOf(int tag, const Matches& matches) {
  for (const Match& match : matches) {
    if (match.tag == tag) return match.fit;
  }
  return LanguageMatch::kNone;
}

absl::StatusOr<LanguageTag> ParseField(const char* field, absl::string_view text) {
  absl::StatusOr<LanguageTag> tag = ParseLanguageTag(text);
  if (!tag.ok()) return InvalidField(field, tag.status().message());
  return tag;
}

// The languages of a query, as far as it has them.
struct QueryTags {
  std::optional<LanguageTag> source, target;
};

absl::StatusOr<QueryTags> ReadLanguages(const RouteQuery& query) {
  QueryTags tags;
  if (!query.source_language.empty()) {
    HEED_ASSIGN_OR_RETURN(tags.source, ParseField(kSourceField, query.source_language));
  }
  if (!query.target_language.empty()) {
    HEED_ASSIGN_OR_RETURN(tags.target, ParseField(kTargetField, query.target_language));
  }
  return tags;
}

}  // namespace

// What is ready at a time. Immutable, but for what is made when it is first asked for.
class LanguageTable::Snapshot {
 public:
  // Null: all models are allowed.
  Snapshot(int64_t changes, const std::vector<ModelStatus>& statuses, const NamePatterns* allowed) : changes_(changes) {
    for (const ModelStatus& status : statuses) {
      if (allowed != nullptr && !allowed->Match(status.name)) continue;
      if (status.state == ModelState::kLoading && status.model == nullptr) loading_.push_back(status.name);
      if (status.model == nullptr || status.model->kind() != ModelKind::kTranslator) continue;
      AddModel(status);
    }
    loading_.erase(std::unique(loading_.begin(), loading_.end()), loading_.end());
    // English first, then by code.
    for (int i = 0; i < count(); ++i) pivots_.push_back(i);
    pivots_ = ByCode(std::move(pivots_));
    std::stable_partition(pivots_.begin(), pivots_.end(), [this](int one) { return tag(one).language == kEnglish; });
    edges_.resize(tags_.size());
    for (int model = 0; model < static_cast<int>(models_.size()); ++model) {
      if (!models_[static_cast<size_t>(model)].is_default) continue;
      const std::vector<Pair>& pairs = models_[static_cast<size_t>(model)].pairs;
      for (int pair = 0; pair < static_cast<int>(pairs.size()); ++pair) {
        const int source = pairs[static_cast<size_t>(pair)].source;
        if (source != kNoTag) edges_[static_cast<size_t>(source)].push_back({model, pair});
      }
    }
  }

  int64_t changes() const { return changes_; }

  struct Pair {
    int source = kNoTag;  // kNoTag: whatever the model reads
    int target = kNoTag;
    std::string code;
  };
  struct Model {
    std::string name;
    int64_t version = 0;
    bool is_default = false;
    bool is_recurrent = false;
    int64_t weights = 0;
    std::vector<Pair> pairs;
  };
  // A pair of a model.
  struct Edge {
    int model = 0;
    int pair = 0;
  };

  const Model& model(Edge edge) const { return models_[static_cast<size_t>(edge.model)]; }
  const Pair& pair(Edge edge) const { return model(edge).pairs[static_cast<size_t>(edge.pair)]; }
  int count() const { return static_cast<int>(tags_.size()); }
  const LanguageTag& tag(int index) const { return tags_[static_cast<size_t>(index)]; }
  const std::string& code(int index) const { return codes_[static_cast<size_t>(index)]; }
  std::string CodeOrNone(int index) const { return index == kNoTag ? std::string() : code(index); }

  // The model of that name; version 0: its default one. Null: it is not there.
  const Model* FindModel(absl::string_view name, int64_t version) const {
    for (const Model& one : models_) {
      if (one.name == name && (version == 0 ? one.is_default : one.version == version)) return &one;
    }
    return nullptr;
  }

  // What is served of a language that is wanted, to be read or to be written.
  Matches MatchSource(const LanguageTag& wanted) const { return MatchAll(wanted, LanguageMatch::kRelated); }
  Matches MatchTarget(const LanguageTag& wanted) const { return MatchAll(wanted, LanguageMatch::kNarrower); }

  // The best pair of one model, or of the given one.
  std::optional<Edge> FindDirect(const Matches& sources, const Matches& targets) const {
    std::optional<Edge> best;
    Fit best_fit;
    for (const Match& source : sources) {
      for (const Edge edge : edges_[static_cast<size_t>(source.tag)]) {
        const LanguageMatch fit = FitOf(pair(edge).target, targets);
        if (fit == LanguageMatch::kNone) continue;
        if (!best || IsBetter(edge, {fit, source.fit}, *best, best_fit)) {
          best = edge;
          best_fit = {fit, source.fit};
        }
      }
    }
    return best;
  }
  // `given` is one of models_.
  std::optional<Edge> FindOfModel(const Model& given, const std::optional<Matches>& sources,
                                  const std::optional<Matches>& targets) const {
    std::optional<Edge> best;
    Fit best_fit;
    const int index = static_cast<int>(&given - models_.data());
    for (int i = 0; i < static_cast<int>(given.pairs.size()); ++i) {
      const Edge edge{index, i};
      const auto fit_of = [](int tag, const std::optional<Matches>& wanted) {
        if (!wanted) return LanguageMatch::kExact;
        return tag == kNoTag ? LanguageMatch::kRelated : FitOf(tag, *wanted);
      };
      const Fit fit = {fit_of(pair(edge).target, targets), fit_of(pair(edge).source, sources)};
      if (fit.target == LanguageMatch::kNone || fit.source == LanguageMatch::kNone) continue;
      if (best && !IsBetter(edge, fit, *best, best_fit)) continue;
      best = edge;
      best_fit = fit;
    }
    return best;
  }

  // The best two pairs by way of the first language that there is.
  std::optional<std::pair<Edge, Edge>> FindChain(const LanguageTag& source, const LanguageTag& target,
                                                 const Matches& sources, const Matches& targets) const {
    std::vector<bool> reached(tags_.size());
    for (const Match& from : sources) {
      for (const Edge edge : edges_[static_cast<size_t>(from.tag)]) {
        reached[static_cast<size_t>(pair(edge).target)] = true;
      }
    }
    for (const int pivot : pivots_) {
      if (!reached[static_cast<size_t>(pivot)]) continue;
      if (MatchLanguages(tag(pivot), source) != LanguageMatch::kNone ||
          MatchLanguages(tag(pivot), target) != LanguageMatch::kNone) {
        continue;
      }
      const std::optional<Edge> second = FindDirect(MatchSource(tag(pivot)), targets);
      if (!second) continue;
      return std::pair(*FindDirect(sources, {{pivot, LanguageMatch::kExact}}), *second);
    }
    return std::nullopt;
  }

  // The languages with a pair of one model to one of `targets`.
  std::vector<int> DirectSources(const Matches& targets) const {
    std::vector<int> sources;
    for (int source = 0; source < count(); ++source) {
      const std::vector<Edge>& edges = edges_[static_cast<size_t>(source)];
      const auto fits = [&](Edge edge) { return FitOf(pair(edge).target, targets) != LanguageMatch::kNone; };
      if (std::any_of(edges.begin(), edges.end(), fits)) sources.push_back(source);
    }
    return sources;
  }
  std::vector<int> DirectTargets(const Matches& sources) const {
    std::vector<int> targets;
    for (const Match& source : sources) {
      for (const Edge edge : edges_[static_cast<size_t>(source.tag)]) AddOnce(pair(edge).target, targets);
    }
    return targets;
  }

  // What FindRoute finds a way from: to the target, or, without one, to anything.
  std::vector<LanguageTag> SourcesTo(const std::optional<LanguageTag>& target) const {
    std::vector<LanguageTag> sources;
    const Matches targets = target ? MatchTarget(*target) : Matches();
    for (const int source : ByCode(AllSources())) {
      const LanguageTag& from = tag(source);
      if (target && MatchLanguages(*target, from) > LanguageMatch::kRelated) continue;
      if (!target || HasRoute(from, *target, MatchSource(from), targets)) sources.push_back(from);
    }
    if (target) {
      const auto is_behind = [&](const LanguageTag& one) { return one.ToString() > target->ToString(); };
      sources.insert(std::find_if(sources.begin(), sources.end(), is_behind), *target);
    }
    return sources;
  }

  // The route without a named model.
  absl::StatusOr<Route> FindWay(QueryTags wanted, const Registry& registry) const {
    if (!wanted.source && !wanted.target) {
      return InvalidField(kTargetField, "is missing, and so are source_language and model");
    }
    if (!wanted.source) {
      const std::vector<int> sources = DirectSources(MatchTarget(*wanted.target));
      if (sources.empty()) return NothingTo(*wanted.target);
      if (sources.size() > 1) {
        return InvalidField(kSourceField, "is missing, and models translate to \"", wanted.target->ToString(),
                            "\" from ", Show(sources, *wanted.target));
      }
      wanted.source = tag(sources[0]);
    }
    if (!wanted.target) {
      const std::vector<int> targets = DirectTargets(MatchSource(*wanted.source));
      if (targets.empty()) return NothingFrom(*wanted.source);
      if (targets.size() > 1) {
        return InvalidField(kTargetField, "is missing, and models translate from \"", wanted.source->ToString(),
                            "\" to ", Show(targets, *wanted.source));
      }
      wanted.target = tag(targets[0]);
    }
    Route route{wanted.source->ToString(), wanted.target->ToString(), {}};
    const Matches sources = MatchSource(*wanted.source);
    const Matches targets = MatchTarget(*wanted.target);
    std::vector<Edge> edges;
    if (const auto direct = FindDirect(sources, targets)) {
      edges = {*direct};
    } else if (MatchLanguages(*wanted.target, *wanted.source) > LanguageMatch::kRelated) {
      return route;
    } else if (const auto chain = FindChain(*wanted.source, *wanted.target, sources, targets)) {
      edges = {chain->first, chain->second};
    } else {
      return NoRoute(*wanted.source, *wanted.target);
    }
    for (const Edge edge : edges) {
      const Model& its = model(edge);
      HEED_ASSIGN_OR_RETURN(ServedModel served, registry.FindServed(its.name, its.version, ModelKind::kTranslator));
      route.legs.push_back({its.name, std::move(served), PairOf(edge)});
    }
    return route;
  }

  // The route of a named model.
  absl::StatusOr<Route> FindOfNamed(const RouteQuery& query, const QueryTags& wanted, const Registry& registry) const {
    HEED_ASSIGN_OR_RETURN(ServedModel served,
                          registry.FindServed(query.model, query.model_version, ModelKind::kTranslator));
    const auto text_of = [](const std::optional<LanguageTag>& tag) { return tag ? tag->ToString() : std::string(); };
    Route route{text_of(wanted.source), text_of(wanted.target), {}};
    RouteLeg leg{std::string(query.model), std::move(served), {}};
    const Model* its = FindModel(query.model, leg.served.version);
    if (its == nullptr || its->pairs.empty()) {  // what the caller says is believed
      leg.pair = {route.source_language, route.target_language, ""};
      route.legs.push_back(std::move(leg));
      return route;
    }
    std::optional<Matches> sources, targets;
    if (wanted.source) sources = MatchSource(*wanted.source);
    if (wanted.target) targets = MatchTarget(*wanted.target);
    const std::optional<Edge> found = FindOfModel(*its, sources, targets);
    if (!found) return NoPair(*its, wanted);
    leg.pair = PairOf(*found);
    // A language that the query leaves open is known if the model has only one that fits.
    std::vector<int> read, written;
    for (const Pair& one : its->pairs) {
      if (!targets || FitOf(one.target, *targets) != LanguageMatch::kNone) AddOnce(one.source, read);
      if (!sources || one.source == kNoTag || FitOf(one.source, *sources) != LanguageMatch::kNone) {
        AddOnce(one.target, written);
      }
    }
    if (!wanted.source && read.size() > 1) leg.pair.source.clear();
    if (!wanted.target && written.size() > 1) {
      if (!wanted.source) {
        leg.pair = {leg.pair.source, "", ""};  // its texts say it with codes of their own
      } else {
        return InvalidField(kTargetField, "is missing, and model \"", its->name, "\" translates from \"",
                            route.source_language, "\" to ", Show(written, *wanted.source));
      }
    }
    if (!wanted.source) route.source_language = leg.pair.source;
    if (!wanted.target) route.target_language = leg.pair.target;
    route.legs.push_back(std::move(leg));
    return route;
  }

  absl::StatusOr<std::vector<LanguageTag>> SourcesOfNamed(const RouteQuery& query,
                                                          const std::optional<LanguageTag>& target) const {
    const Model* its = FindModel(query.model, query.model_version);
    std::vector<int> sources;
    if (its != nullptr) {
      const Matches targets = target ? MatchTarget(*target) : Matches();
      for (const Pair& one : its->pairs) {
        if (one.source == kNoTag || (target && FitOf(one.target, targets) == LanguageMatch::kNone)) continue;
        AddOnce(one.source, sources);
      }
      if (sources.empty() && target && !its->pairs.empty() && its->pairs[0].source != kNoTag) {
        return NoPair(*its, {std::nullopt, target});
      }
    }
    if (sources.empty()) {
      return InvalidField(kSourceField, "cannot be detected: model \"", query.model,
                          "\" does not say which languages it reads");
    }
    std::vector<LanguageTag> tags;
    for (const int one : ByCode(std::move(sources))) tags.push_back(tag(one));
    return tags;
  }

  // The named model has no pair of the wanted languages.
  absl::Status NoPair(const Model& its, const QueryTags& wanted) const {
    std::vector<int> read, written;
    for (const Pair& one : its.pairs) {
      if (one.source != kNoTag) AddOnce(one.source, read);
      AddOnce(one.target, written);
    }
    const Matches sources = wanted.source ? MatchSource(*wanted.source) : Matches();
    const auto fits = [&](int one) { return FitOf(one, sources) != LanguageMatch::kNone; };
    if (wanted.source && !read.empty() && std::none_of(read.begin(), read.end(), fits)) {
      return InvalidField(kSourceField, "\"", wanted.source->ToString(), "\", but model \"", its.name,
                          "\" translates from ", Show(read, *wanted.source));
    }
    return InvalidField(kTargetField, "\"", wanted.target->ToString(), "\", but model \"", its.name,
                        "\" translates to ", Show(written, *wanted.target));
  }

  LanguagePair PairOf(Edge edge) const {
    const Pair& one = pair(edge);
    return {CodeOrNone(one.source), CodeOrNone(one.target), one.code};
  }

  std::shared_ptr<const ServedLanguages> Served() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (served_ == nullptr) served_ = MakeServed();
    return served_;
  }

  // For messages: "en, fr", those of the wanted language first.
  std::string Show(std::vector<int> tags, const LanguageTag& wanted) const {
    if (tags.empty()) return "nothing";
    tags = ByCode(std::move(tags));
    std::stable_partition(tags.begin(), tags.end(), [&](int one) { return tag(one).language == wanted.language; });
    const size_t shown = std::min(tags.size(), kMaxShown);
    std::string text;
    for (size_t i = 0; i < shown; ++i) absl::StrAppend(&text, i > 0 ? ", " : "", code(tags[i]));
    if (shown < tags.size()) absl::StrAppend(&text, " and ", tags.size() - shown, " more");
    return text;
  }

  absl::Status NoRoute(const LanguageTag& source, const LanguageTag& target) const {
    std::string message = absl::StrCat(kTargetField, ": no model, and no two, translate from \"", source.ToString(),
                                       "\" to \"", target.ToString(), "\": from \"", source.ToString(), "\" to ",
                                       Show(DirectTargets(MatchSource(source)), target), "; to \"", target.ToString(),
                                       "\" from ", Show(DirectSources(MatchTarget(target)), source));
    return NotThere(std::move(message));
  }
  absl::Status NothingTo(const LanguageTag& target) const {
    return NotThere(absl::StrCat(kTargetField, ": no model translates to \"", target.ToString(), "\", but to ",
                                 Show(AllTargets(), target)));
  }
  absl::Status NothingFrom(const LanguageTag& source) const {
    return NotThere(absl::StrCat(kSourceField, ": no model translates from \"", source.ToString(), "\", but from ",
                                 Show(AllSources(), source)));
  }

  static void AddOnce(int tag, std::vector<int>& tags) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  std::vector<int> ByCode(std::vector<int> tags) const {
    std::sort(tags.begin(), tags.end(), [this](int a, int b) { return code(a) < code(b); });
    return tags;
  }

 private:
  struct Fit {
    LanguageMatch target = LanguageMatch::kNone;
    LanguageMatch source = LanguageMatch::kNone;
  };

  void AddModel(const ModelStatus& status) {
    const ModelSpec& spec = status.model->spec();
    Model added{status.name, status.version, status.is_default, spec.architecture == kRecurrent, spec.weights, {}};
    for (const LanguagePair& one : ModelAs<Translator>(*status.model).language_pairs()) {
      const std::optional<int> source = one.source.empty() ? kNoTag : TagOf(one.source);
      const std::optional<int> target = TagOf(one.target);
      if (source && target) added.pairs.push_back({*source, *target, one.code});
    }
    models_.push_back(std::move(added));
  }

  std::optional<int> TagOf(const std::string& text) {
    if (const auto known = by_text_.find(text); known != by_text_.end()) return known->second;
    absl::StatusOr<LanguageTag> parsed = ParseLanguageTag(text);
    if (!parsed.ok()) return std::nullopt;
    std::string canonical = parsed->ToString();
    const auto [canonical_entry, is_new] = by_text_.try_emplace(canonical, count());
    const int index = canonical_entry->second;
    if (is_new) {
      tags_.push_back(*std::move(parsed));
      codes_.push_back(std::move(canonical));
    }
    by_text_.try_emplace(text, index);
    return index;
  }

  Matches MatchAll(const LanguageTag& wanted, LanguageMatch least) const {
    Matches matches;
    for (int i = 0; i < count(); ++i) {
      const LanguageMatch fit = MatchLanguages(wanted, tag(i));
      if (fit >= least) matches.push_back({i, fit});
    }
    return matches;
  }

  bool IsBetter(Edge a, Fit fit, Edge b, Fit fit_of_b) const {
    const auto key = [this](Edge edge, Fit of) {
      const Model& its = model(edge);
      return std::tuple(-static_cast<int>(of.target), -static_cast<int>(of.source), its.is_recurrent, -its.weights,
                        its.pairs.size(), absl::string_view(its.name), absl::string_view(code(pair(edge).target)),
                        pair(edge).source == kNoTag ? absl::string_view() : absl::string_view(code(pair(edge).source)));
    };
    return key(a, fit) < key(b, fit_of_b);
  }

  bool HasRoute(const LanguageTag& source, const LanguageTag& target, const Matches& sources,
                const Matches& targets) const {
    return FindDirect(sources, targets).has_value() || FindChain(source, target, sources, targets).has_value();
  }

  std::vector<int> AllSources() const {
    std::vector<int> sources;
    for (int i = 0; i < count(); ++i) {
      if (!edges_[static_cast<size_t>(i)].empty()) sources.push_back(i);
    }
    return sources;
  }
  std::vector<int> AllTargets() const {
    std::vector<bool> written(tags_.size());
    for (const std::vector<Edge>& edges : edges_) {
      for (const Edge edge : edges) written[static_cast<size_t>(pair(edge).target)] = true;
    }
    std::vector<int> targets;
    for (int i = 0; i < count(); ++i) {
      if (written[static_cast<size_t>(i)]) targets.push_back(i);
    }
    return targets;
  }

  absl::Status NotThere(std::string message) const {
    if (loading_.empty()) return absl::NotFoundError(message);
    absl::StrAppend(&message, "; still loading: ", absl::StrJoin(loading_, ", "));
    return WithRetryDelay(absl::UnavailableError(message), kDefaultRetryDelay);
  }

  std::shared_ptr<const ServedLanguages> MakeServed() const {
    auto served = std::make_shared<ServedLanguages>();
    const std::vector<int> sources = ByCode(AllSources());
    const std::vector<int> targets = ByCode(AllTargets());
    std::vector<int> all = sources;
    all.insert(all.end(), targets.begin(), targets.end());
    all = ByCode(std::move(all));
    all.erase(std::unique(all.begin(), all.end()), all.end());
    for (const int one : all) {
      served->languages.push_back({tag(one), code(one), EnglishName(tag(one)), NativeName(tag(one))});
    }
    std::vector<Matches> of_targets;
    for (const int target : targets) of_targets.push_back(MatchTarget(tag(target)));
    for (const int source : sources) {
      const Matches of_source = MatchSource(tag(source));
      for (size_t i = 0; i < targets.size(); ++i) {
        const int target = targets[i];
        std::vector<std::string> models;
        if (const auto direct = FindDirect(of_source, of_targets[i])) {
          models = {model(*direct).name};
        } else if (MatchLanguages(tag(target), tag(source)) <= LanguageMatch::kRelated) {
          if (const auto chain = FindChain(tag(source), tag(target), of_source, of_targets[i])) {
            models = {model(chain->first).name, model(chain->second).name};
          }
        }
        if (!models.empty()) served->pairs.push_back({code(source), code(target), std::move(models)});
      }
    }
    return served;
  }

  const int64_t changes_;
  std::vector<std::string> loading_;
  std::vector<LanguageTag> tags_;
  std::vector<std::string> codes_;                 // of the tags
  absl::flat_hash_map<std::string, int> by_text_;  // as models write them
  std::vector<Model> models_;                      // every version
  std::vector<std::vector<Edge>> edges_;           // of each tag as a source, of default versions
  std::vector<int> pivots_;

  mutable Mutex mutex_;
  mutable std::shared_ptr<const ServedLanguages> served_ GUARDED_BY(mutex_);
};

LanguageTable::LanguageTable(const Registry& registry) : registry_(registry) {}

LanguageTable::~LanguageTable() = default;

std::shared_ptr<const LanguageTable::Snapshot> LanguageTable::Present(const NamePatterns* allowed) const {
  const std::string key = allowed == nullptr ? std::string() : allowed->ToString();
  MutexLock lock(mutex_);
  // Before the list: what changes meanwhile is seen the next time.
  const int64_t changes = registry_.changes();
  const auto found = snapshots_.find(key);
  if (found != snapshots_.end() && found->second->changes() == changes) return found->second;
  const bool is_of_before = !snapshots_.empty() && snapshots_.begin()->second->changes() != changes;
  if (is_of_before || snapshots_.size() >= kMaxSnapshots) snapshots_.clear();
  return snapshots_[key] = std::make_shared<const Snapshot>(changes, registry_.List(), allowed);
}

std::shared_ptr<const ServedLanguages> LanguageTable::Served(const NamePatterns* allowed) const {
  return Present(allowed)->Served();
}

absl::StatusOr<Route> LanguageTable::FindRoute(const RouteQuery& query) const {
  HEED_ASSIGN_OR_RETURN(const QueryTags tags, ReadLanguages(query));
  absl::StatusOr<Route> route = absl::InternalError("no route was looked for");
  for (int i = 0; i < kMaxLookUps; ++i) {
    const std::shared_ptr<const Snapshot> now = Present(query.allowed);
    route = query.model.empty() ? now->FindWay(tags, registry_) : now->FindOfNamed(query, tags, registry_);
    // A model may have left since the snapshot was made.
    if (route.ok() || now->changes() == registry_.changes()) break;
  }
  return route;
}

absl::StatusOr<bool> LanguageTable::NeedsDetection(const RouteQuery& query) const {
  if (absl::EqualsIgnoreCase(query.source_language, kDetectedLanguage)) return true;
  if (!query.source_language.empty() || !query.model.empty() || query.target_language.empty()) return false;
  HEED_ASSIGN_OR_RETURN(const LanguageTag target, ParseField(kTargetField, query.target_language));
  const std::shared_ptr<const Snapshot> now = Present(query.allowed);
  return now->DirectSources(now->MatchTarget(target)).size() > 1;
}

absl::StatusOr<std::vector<LanguageTag>> LanguageTable::SourcesToDetect(const RouteQuery& query) const {
  std::optional<LanguageTag> target;
  if (!query.target_language.empty()) {
    HEED_ASSIGN_OR_RETURN(target, ParseField(kTargetField, query.target_language));
  }
  const std::shared_ptr<const Snapshot> now = Present(query.allowed);
  if (!query.model.empty()) {
    HEED_RETURN_IF_ERROR(registry_.FindServed(query.model, query.model_version, ModelKind::kTranslator).status());
    return now->SourcesOfNamed(query, target);
  }
  std::vector<LanguageTag> sources = now->SourcesTo(target);
  // The target alone.
  if (target && sources.size() <= 1) return now->NothingTo(*target);
  return sources;
}

}  // namespace heed
