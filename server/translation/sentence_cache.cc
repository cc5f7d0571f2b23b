// SPDX-License-Identifier: Apache-2.0
#include "server/translation/sentence_cache.h"

#include <algorithm>
#include <optional>

#include "server/messages/translation_messages.h"

namespace heed {
namespace {

// Of an entry beside its texts: the list's and the table's nodes, and the shared result's.
constexpr int64_t kEntryBytes = sizeof(SentenceKey) + sizeof(SentenceResult) + 2 * sizeof(Hypothesis) + 128;

int64_t BytesOf(const SentenceKey& key, const SentenceResult& sentence) {
  size_t bytes = key.source.size() + key.code.size() + key.options.target_prefix.size();
  for (const ForcedPhrase& phrase : key.forced) bytes += sizeof(phrase) + phrase.target.size();
  for (const Hypothesis& hypothesis : sentence.hypotheses) {
    bytes += sizeof(hypothesis) + hypothesis.alignment.size() * sizeof(AlignedToken);
  }
  return kEntryBytes + static_cast<int64_t>(bytes) + AnswerBytes(sentence);
}

}  // namespace

SentenceCache::Claim SentenceCache::Take(const SentenceKey& key, const std::shared_ptr<const Model>& model,
                                         Priority priority, const std::shared_ptr<Follower>& follower, size_t index) {
  const auto count = [&](const char* outcome) {
    metrics_.Add(Metric::kTranslationCacheSentences, {model->spec().name, outcome});
  };
  MutexLock lock(mutex_);
  if (const auto found = by_key_.find(&key); found != by_key_.end()) {
    const Entries::iterator entry = found->second;
    if (entry->model.lock() == model) {
      entries_.splice(entries_.begin(), entries_, entry);
      count("hit");
      return {Claim::Kind::kFound, entry->sentence};
    }
    Remove(entry);
  }
  if (follower == nullptr) {
    count("miss");
    return {};
  }
  const auto [flight, is_new] = flights_.try_emplace(Flight(key, priority));
  if (is_new) {
    count("miss");
    return {};
  }
  count("shared");
  flight->second.push_back({follower, index});
  return {Claim::Kind::kFollows, nullptr};
}

void SentenceCache::Put(const SentenceKey& key, const std::shared_ptr<const Model>& model, Priority priority,
                        Sentence sentence) {
  std::deque<Waiting> waiting;
  {
    MutexLock lock(mutex_);
    if (const auto flight = flights_.find(Flight(key, priority)); flight != flights_.end()) {
      waiting = std::move(flight->second);
      flights_.erase(flight);
    }
    Keep(key, model, sentence);
  }
  for (const Waiting& one : waiting) one.follower->OnSentence(one.index, sentence);
}

void SentenceCache::GiveUp(const SentenceKey& key, Priority priority) {
  std::optional<Waiting> next;
  {
    MutexLock lock(mutex_);
    const auto flight = flights_.find(Flight(key, priority));
    if (flight == flights_.end()) return;
    if (flight->second.empty()) {
      flights_.erase(flight);
      return;
    }
    next = std::move(flight->second.front());
    flight->second.pop_front();
  }
  next->follower->OnSentence(next->index, nullptr);
}

bool SentenceCache::Leave(const SentenceKey& key, Priority priority, const Follower& follower, size_t index) {
  MutexLock lock(mutex_);
  const auto flight = flights_.find(Flight(key, priority));
  if (flight == flights_.end()) return false;
  std::deque<Waiting>& waiting = flight->second;
  const auto own = std::find_if(waiting.begin(), waiting.end(), [&](const Waiting& one) {
    return one.follower.get() == &follower && one.index == index;
  });
  if (own == waiting.end()) return false;
  waiting.erase(own);
  return true;
}

void SentenceCache::Keep(const SentenceKey& key, const std::shared_ptr<const Model>& model, const Sentence& sentence) {
  const int64_t bytes = BytesOf(key, *sentence);
  if (bytes > max_bytes_) return;
  if (const auto found = by_key_.find(&key); found != by_key_.end()) {
    if (found->second->model.lock() == model) return;
    Remove(found->second);
  }
  while (bytes_ + bytes > max_bytes_) Remove(std::prev(entries_.end()));
  entries_.push_front({key, model, sentence, bytes});
  by_key_[&entries_.front().key] = entries_.begin();
  bytes_ += bytes;
  metrics_.Set(Metric::kTranslationCacheBytes, {}, static_cast<double>(bytes_));
}

void SentenceCache::Remove(Entries::iterator entry) {
  by_key_.erase(&entry->key);
  bytes_ -= entry->bytes;
  entries_.erase(entry);
  metrics_.Set(Metric::kTranslationCacheBytes, {}, static_cast<double>(bytes_));
}

}  // namespace heed
