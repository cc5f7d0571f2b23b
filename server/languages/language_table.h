// SPDX-License-Identifier: Apache-2.0
// Which languages this server translates between, and the models for it: a view of the registry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "models/kinds/translator.h"
#include "models/languages/language_tag.h"
#include "server/registry/registry.h"

namespace heed {

// What a request says about where its texts come from and go to. Empty fields are not said.
struct RouteQuery {
  absl::string_view model;
  int64_t model_version = 0;          // 0: the default one
  absl::string_view source_language;  // as people write it; not "auto"
  absl::string_view target_language;
};

// One model of a route.
struct RouteLeg {
  std::string model;
  ServedModel served;
  // The model's own: language_pairs() has it, or, for a model that does not say what it translates, the languages of
  // the query (canonical), which are believed.
  LanguagePair pair;
};

// The models that translate a text, one after the other.
struct Route {
  std::string
      source_language;  // canonical, as the query has it: "pt-BR", though the model reads "pt". If the query has
  std::string target_language;  // none: the first leg's, the last leg's.
  std::vector<RouteLeg> legs;   // one or two; none: the text is in the target language already
};

// A pair that is served, and by what.
struct ServedPair {
  LanguageTag source, target;
  std::vector<std::string> models;  // one, or two in a chain
};

// Thread-safe. Follows what the registry loads and unloads: each call sees what is ready when it is made, of each model
// the default version. `registry` outlives it.
//
// Errors name the field, "source_language" or "target_language", and what is served instead, nearest first:
//   INVALID_ARGUMENT  what is given is no language; the named model does not translate the pair; the query leaves open
//                     which language is meant
//   NOT_FOUND         no model, and no two, translate the pair
//   UNAVAILABLE       the same, but models are still loading
// and those of Registry::FindServed for a named model.
class LanguageTable {
 public:
  explicit LanguageTable(const Registry& registry);
  ~LanguageTable();

  // Finds the way from the source to the target language.
  //
  // - With a model: that one, if it has the pair. Between a language and itself it needs to have that pair, too.
  // - Without: no leg, if the source does for the target already ("en" to "en", "en-GB" to "en"), unless a model has
  //   that pair. Else the best model with the pair. Else two models, by way of English, or of the first other language
  //   by code; each the best one with its pair.
  // - Without a source: what the model reads, or the only language from which the target is reached by one model.
  //   Without a target: the only one that the source, or the model, has. Where that leaves several, INVALID_ARGUMENT:
  //   see SourcesToDetect. One of the two languages, or the model, must be there.
  //
  // Of several models the best is the one that fits the target, then the source, more closely (LanguageMatch: the same
  // region before the language in general); then the one with more weights; then the one with fewer pairs, which is
  // made for this one; then the first by name.
  //
  // Cheap: for each request; for each text where languages are detected.
  absl::StatusOr<Route> FindRoute(const RouteQuery& query) const;

  // The languages that a text may be in so that FindRoute, with that as query.source_language, finds the target; the
  // target language among them (unless the model is named). By code. The detection of the source chooses from these.
  // query.source_language does not count.
  absl::StatusOr<std::vector<std::string>> SourcesToDetect(const RouteQuery& query) const;

  // All languages that are read or written, by code.
  std::vector<LanguageTag> Languages() const;
  // Those that are read.
  std::vector<LanguageTag> Sources() const;
  // Every pair that FindRoute finds, by source and target; chains included.
  std::vector<ServedPair> Pairs() const;

 private:
  class Snapshot;

  // Of now: made again after the registry has changed.
  std::shared_ptr<const Snapshot> Present() const EXCLUDES(mutex_);

  const Registry& registry_;
  mutable Mutex mutex_;
  mutable std::shared_ptr<const Snapshot> snapshot_ GUARDED_BY(mutex_);
};

}  // namespace heed
