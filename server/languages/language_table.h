// SPDX-License-Identifier: Apache-2.0
// Which languages this server translates between, and the models for it: a view of the registry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/name_patterns.h"
#include "models/kinds/translator.h"
#include "models/languages/language_tag.h"
#include "server/registry/registry.h"

namespace heed {

// A request's source language that is to be detected. Case does not count.
inline constexpr absl::string_view kDetectedLanguage = "auto";

// What a request says about where its texts come from and go to. Empty fields are not said.
struct RouteQuery {
  absl::string_view model;
  int64_t model_version = 0;          // 0: the default one
  absl::string_view source_language;  // as people write it
  absl::string_view target_language;
  // Only of these models; the others are as if they did not exist. Null: of all.
  const NamePatterns* allowed = nullptr;
};

// One model of a route.
struct RouteLeg {
  std::string model;
  ServedModel served;
  // One of the model's language_pairs(). Of a named model without pairs: the languages of the query, which are
  // believed.
  LanguagePair pair;
};

// The models that translate a text, one after the other.
struct Route {
  // Canonical, as the query has them: "pt-BR", though the model reads "pt". What the query does not have is what the
  // models read and write; the source stays empty where a named model reads several.
  std::string source_language, target_language;
  std::vector<RouteLeg> legs;  // one or two; none: the text is in the target language already
};

// A language that is served, with its names in English and in itself.
struct ServedLanguage {
  LanguageTag tag;
  std::string code;  // tag.ToString()
  std::string name, native_name;
};

// A pair that FindRoute finds, and the model, or the two models in a chain, that serve it.
struct ServedPair {
  std::string source, target;
  std::vector<std::string> models;
};

struct ServedLanguages {
  std::vector<ServedLanguage> languages;  // that are read or written, by code
  std::vector<ServedPair> pairs;          // by source and target
};

// Thread-safe. Follows what the registry loads and unloads: each call sees what is ready when it is made, of each model
// the default version. `registry` outlives it.
//
// Errors name the field, "source_language" or "target_language", and what is served instead:
//   INVALID_ARGUMENT  what is given is no language; the named model does not translate the pair; the query leaves open
//                     which language is meant
//   NOT_FOUND         no model, and no two, translate the pair
//   UNAVAILABLE       the same, but models are still loading
// and those of Registry::FindServed for a named model.
class LanguageTable {
 public:
  explicit LanguageTable(const Registry& registry);
  ~LanguageTable();

  // Finds the way from the source to the target language, one of which, or the model, is given. The source is not
  // "auto".
  //
  // - With a model: that one, if it has the pair.
  // - Without: the best model with the pair; no leg, if no model has it and the source does for the target already
  //   ("en" to "en", "en-GB" to "en"); else two models, by way of English, or of the first other language by code, each
  //   the best one with its pair.
  // - Without a source: what the named model reads, or the only language that a model translates to the target. Without
  //   a target: the only one that the source, or the named model, has. INVALID_ARGUMENT where that leaves several.
  //
  // Of several models the best is the one that fits the target, then the source, more closely (LanguageMatch: the same
  // region before the language in general); then a Transformer before a recurrent one; then the one with more weights;
  // then the one with fewer pairs, which is made for this one; then the first by name.
  //
  // Cheap: for each request; for each text where languages are detected.
  absl::StatusOr<Route> FindRoute(const RouteQuery& query) const;

  // Whether the source is to be detected before FindRoute: it is "auto", or it is not given, no model is named, and
  // several languages are translated to the target.
  absl::StatusOr<bool> NeedsDetection(const RouteQuery& query) const;

  // The languages that a text may be in so that FindRoute, with that as its source, finds the target; without a named
  // model the target is among them. By code. query.source_language does not count. Errors as FindRoute's.
  absl::StatusOr<std::vector<LanguageTag>> SourcesToDetect(const RouteQuery& query) const;

  // By the models of `allowed`; null: by all. Made once for each state of the registry.
  std::shared_ptr<const ServedLanguages> Served(const NamePatterns* allowed = nullptr) const;

 private:
  class Snapshot;

  // Of now, with the models of `allowed`; null: with all. Made again after the registry has changed.
  std::shared_ptr<const Snapshot> Present(const NamePatterns* allowed) const EXCLUDES(mutex_);

  const Registry& registry_;
  mutable Mutex mutex_;
  // By what is allowed, as a text. All of the same state of the registry, and at most kMaxSnapshots.
  mutable absl::flat_hash_map<std::string, std::shared_ptr<const Snapshot>> snapshots_ GUARDED_BY(mutex_);
};

}  // namespace heed
