// SPDX-License-Identifier: Apache-2.0
// Translated sentences, so that the same sentence with the same options is computed once: kept after it was, and shared
// by the requests that ask for it while it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "base/mutex.h"
#include "models/kinds/translator.h"
#include "server/scheduling/priority.h"
#include "server/telemetry/metrics.h"

namespace heed {

// All that a translation depends on. The same bits come out for keys that are equal, whatever runs beside them.
struct SentenceKey {
  const Model* model = nullptr;
  std::string source;                // TranslationTask::source()
  std::string code;                  // SourceText::code
  std::vector<ForcedPhrase> forced;  // those of the sentence, in bytes of it
  TranslateOptions options;          // without target_prefix where it is not the sentence's; not sampling

  bool operator==(const SentenceKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H hash, const SentenceKey& key) {
    return H::combine(std::move(hash), key.model, key.source, key.code, key.options.beam_size);
  }
};

// Thread-safe. A model that is replaced takes its sentences with it: none of them is found again, and they leave as
// those that nobody asks for.
class SentenceCache {
 public:
  using Sentence = std::shared_ptr<const SentenceResult>;

  // A request that waits for sentences that others compute.
  class Follower {
   public:
    virtual ~Follower() = default;
    // Sentence `index` of those that it follows. Null: who computed it has given up, and it is for this request to
    // compute now. On any thread, with no lock held.
    virtual void OnSentence(size_t index, Sentence sentence) = 0;
  };

  // What a request is to do about a sentence.
  struct Claim {
    enum class Kind {
      kFound,    // take `sentence`
      kLeads,    // compute it, then Put or GiveUp
      kFollows,  // OnSentence will be called
    };
    Kind kind = Kind::kLeads;
    Sentence sentence;
  };

  // Keeps sentences of at most `max_bytes`, what keys and tables take included; 0: none. `metrics` outlives it.
  SentenceCache(int64_t max_bytes, Metrics& metrics) : max_bytes_(max_bytes), metrics_(metrics) {}

  bool enabled() const { return max_bytes_ > 0; }

  // For a request of `priority`. Others follow those of their own priority only, so that nobody waits for one who has
  // less. `model`: that of the key, for its name and to know when it is gone. Null `follower`: the request follows
  // nobody.
  Claim Take(const SentenceKey& key, const std::shared_ptr<const Model>& model, Priority priority,
             const std::shared_ptr<Follower>& follower, size_t index) EXCLUDES(mutex_);
  // By the one who leads: the sentence is computed. Those who follow get it, on this thread.
  void Put(const SentenceKey& key, const std::shared_ptr<const Model>& model, Priority priority, Sentence sentence)
      EXCLUDES(mutex_);
  // By the one who leads: it will not be. The first who follows leads from now on.
  void GiveUp(const SentenceKey& key, Priority priority) EXCLUDES(mutex_);
  // By one who follows: it does not wait any longer. False: OnSentence was called, or is about to be.
  bool Leave(const SentenceKey& key, Priority priority, const Follower& follower, size_t index) EXCLUDES(mutex_);

 private:
  struct Entry {
    SentenceKey key;
    std::weak_ptr<const Model> model;  // another one may come to have the same address
    Sentence sentence;
    int64_t bytes = 0;
  };
  using Entries = std::list<Entry>;  // most recently used first
  struct KeyHash {
    size_t operator()(const SentenceKey* key) const { return absl::Hash<SentenceKey>()(*key); }
  };
  struct KeyEqual {
    bool operator()(const SentenceKey* a, const SentenceKey* b) const { return *a == *b; }
  };
  struct Waiting {
    std::shared_ptr<Follower> follower;
    size_t index = 0;
  };
  using Flight = std::pair<SentenceKey, Priority>;  // a sentence that is being computed

  void Keep(const SentenceKey& key, const std::shared_ptr<const Model>& model, const Sentence& sentence)
      REQUIRES(mutex_);
  void Remove(Entries::iterator entry) REQUIRES(mutex_);

  const int64_t max_bytes_;
  Metrics& metrics_;
  Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);
  absl::flat_hash_map<const SentenceKey*, Entries::iterator, KeyHash, KeyEqual> by_key_ GUARDED_BY(mutex_);
  int64_t bytes_ GUARDED_BY(mutex_) = 0;
  absl::node_hash_map<Flight, std::deque<Waiting>> flights_ GUARDED_BY(mutex_);
};

}  // namespace heed
