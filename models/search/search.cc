// SPDX-License-Identifier: Apache-2.0
#include "models/search/search.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

namespace heed {
namespace {

constexpr int64_t kLongestPeriod = 16;
constexpr int64_t kLoopTokens = 16;
constexpr int64_t kLoopTimes = 4;

// The longest stretch at the end of tokens in which each equals the one `period` before it.
int64_t RepetitionLength(absl::Span<const int32_t> tokens, int64_t period) {
  const int64_t size = static_cast<int64_t>(tokens.size());
  int64_t length = 0;
  while (size - 1 - length - period >= 0 &&
         tokens[static_cast<size_t>(size - 1 - length)] == tokens[static_cast<size_t>(size - 1 - length - period)]) {
    ++length;
  }
  return length;
}

// A number in [0, 1) of 24 random bits, the same with every standard library.
double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 40) * 0x1p-24; }

std::vector<int32_t> Distinct(std::vector<int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Ids of candidates in the order of transformers' top-k: the larger score first, then the earlier beam, the smaller id.
template <typename T>
bool BetterExtension(const T& a, const T& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

}  // namespace

int64_t TokensBeforeRepetition(absl::Span<const int32_t> tokens) {
  int64_t longest = 0;
  for (int64_t period = 1; period <= kLongestPeriod; ++period) {
    longest = std::max(longest, RepetitionLength(tokens, period));
  }
  return static_cast<int64_t>(tokens.size()) - longest;
}

bool EndsInLoop(absl::Span<const int32_t> tokens) {
  for (int64_t period = 1; period <= kLongestPeriod; ++period) {
    const int64_t length = RepetitionLength(tokens, period) + period;
    if (length >= kLoopTokens && length >= kLoopTimes * period) return true;
  }
  return false;
}

Search::Search(const SearchRules& rules, const SearchOptions& options, std::vector<int32_t> prefix, int64_t vocabulary,
               uint64_t seed, bool source_loops, std::vector<int32_t> read, ForcedTokens forced)
    : rules_(rules),
      options_(options),
      prefix_(std::move(prefix)),
      read_(std::move(read)),
      distinct_read_(Distinct(read_)),
      forced_(std::move(forced)),
      best_placed_(forced_.phrases.size(), std::numeric_limits<float>::quiet_NaN()),
      vocabulary_(vocabulary),
      stop_loops_(options.stop_loops && !source_loops),
      random_(seed) {
  beams_.resize(1);
  for (const std::vector<int32_t>& phrase : forced_.phrases) {
    phrase_tokens_ += static_cast<int32_t>(phrase.size());
  }
  beams_[0].missing = phrase_tokens_;
}

int Search::top() const {
  if (options_.beam_size == 1) return 1;
  return 2 * options_.beam_size + forces();  // end-of-sentence, before its time, takes nobody's place
}

bool Search::needs_probabilities() const {
  if (in_prefix() || (rules_.force_eos && length_ + 1 == options_.max_tokens)) return false;
  return options_.scores || options_.beam_size > 1;
}

void Search::AppendRows(std::vector<SearchRow>& rows, std::vector<VocabularyQuery>& queries) {
  const bool needs_logits = !in_prefix() && (options_.sample || options_.repetition_penalty != 1);
  if (needs_logits) logits_.resize(beams_.size() * static_cast<size_t>(vocabulary_));
  for (size_t slot = 0; slot < beams_.size(); ++slot) {
    Beam& beam = beams_[slot];
    Ban(beam);
    SearchRow row;
    row.token = beam.tokens.empty() ? rules_.start : beam.tokens.back();
    row.position = static_cast<int32_t>(length_);
    row.slot = static_cast<int32_t>(slot);
    row.history = beam.slots.data();
    rows.push_back(row);

    VocabularyQuery query;
    query.banned = beam.banned;
    query.top = top();
    query.normalizer = needs_probabilities();
    query.normalize_over_banned = !rules_.renormalize;
    if (forces() && !in_prefix()) {
      WantPhrases(beam);
      query.wanted = beam.wanted;
    }
    query.all_logits = needs_logits ? logits_.data() + slot * static_cast<size_t>(vocabulary_) : nullptr;
    queries.push_back(query);
  }
}

std::vector<int32_t> Search::Parents() const {
  std::vector<int32_t> parents;
  for (const Beam& beam : beams_) parents.push_back(beam.slots.back());
  return parents;
}

void Search::Ban(Beam& beam) const {
  beam.banned = rules_.banned;
  const std::vector<int32_t>& tokens = beam.tokens;
  if (rules_.eos >= 0 && length_ < options_.min_tokens) beam.banned.push_back(rules_.eos);
  if (generated() == 0) beam.banned.insert(beam.banned.end(), rules_.banned_first.begin(), rules_.banned_first.end());
  for (const std::vector<int32_t>& phrase : rules_.banned_phrases) {
    const size_t before = phrase.size() - 1;
    if (tokens.size() >= before &&
        std::equal(phrase.begin(), phrase.end() - 1, tokens.end() - static_cast<int64_t>(before))) {
      beam.banned.push_back(phrase.back());
    }
  }
  if (options_.no_repeat_ngram > 0) BanRepetitions(beam);
  std::sort(beam.banned.begin(), beam.banned.end());
  beam.banned.erase(std::unique(beam.banned.begin(), beam.banned.end()), beam.banned.end());
}

void Search::BanRepetitions(Beam& beam) const {
  const int64_t read = static_cast<int64_t>(read_.size());
  const int64_t size = read + static_cast<int64_t>(beam.tokens.size());
  const auto token = [&](int64_t i) {
    return i < read ? read_[static_cast<size_t>(i)] : beam.tokens[static_cast<size_t>(i - read)];
  };
  const int64_t n = options_.no_repeat_ngram;
  for (int64_t i = 0; i + n <= size; ++i) {
    int64_t same = 0;
    while (same < n - 1 && token(i + same) == token(size - n + 1 + same)) ++same;
    if (same == n - 1) beam.banned.push_back(token(i + n - 1));
  }
}

// Keskar et al. 2019, section 4.1, as transformers does it: of one hypothesis it changes the logits, of several the
// log-probabilities.
VocabularyAnswer Search::Penalized(Beam& beam, const VocabularyAnswer& answer, float* logits, int top) const {
  const float penalty = options_.repetition_penalty;
  const float normalizer = options_.beam_size == 1 ? 0 : answer.log_normalizer;
  std::vector<int32_t> own = beam.tokens;
  std::sort(own.begin(), own.end());
  own.erase(std::unique(own.begin(), own.end()), own.end());
  std::vector<int32_t> seen;
  std::set_union(own.begin(), own.end(), distinct_read_.begin(), distinct_read_.end(), std::back_inserter(seen));
  beam.unpenalized.clear();
  for (const int32_t id : seen) {
    beam.unpenalized.emplace_back(id, logits[id]);
    const float score = logits[id] - normalizer;
    logits[id] = (score < 0 ? score * penalty : score / penalty) + normalizer;
  }
  std::vector<Candidate> best(static_cast<size_t>(top));
  BestCandidates candidates{best.data(), top, 0};
  OfferLogits(logits, vocabulary_, 0, candidates);
  best.resize(static_cast<size_t>(candidates.count));
  return {std::move(best), answer.log_normalizer};
}

float Search::LogProbability(const Beam& beam, int32_t token, float logit, const VocabularyAnswer& answer) {
  const auto place = std::lower_bound(beam.unpenalized.begin(), beam.unpenalized.end(), token,
                                      [](const auto& one, int32_t id) { return one.first < id; });
  const bool was_changed = place != beam.unpenalized.end() && place->first == token;
  return (was_changed ? place->second : logit) - answer.log_normalizer;
}

Search::Beam Search::Extended(const Beam& beam, int32_t slot, int32_t token, float score) const {
  Beam extended;
  extended.score = score;
  extended.tokens.reserve(beam.tokens.size() + 16);
  extended.tokens = beam.tokens;
  extended.tokens.push_back(token);
  extended.slots.reserve(beam.slots.size() + 16);
  extended.slots = beam.slots;
  extended.slots.push_back(slot);
  extended.log_probabilities = beam.log_probabilities;
  if (forces()) {
    extended.begun = beam.begun;
    extended.open = beam.open;
    extended.open_tokens = beam.open_tokens;
    extended.open_score = beam.open_score;
    extended.missing = beam.missing;
    extended.bonus = beam.bonus;
    extended.phrase_score = beam.phrase_score;
    extended.placed = beam.placed;
  }
  return extended;
}

Search::Beam Search::Extended(const Beam& beam, const Extension& extension) const {
  Beam extended = Extended(beam, extension.beam, extension.token, extension.score);
  extended.log_probabilities.push_back(extension.log_probability);
  return extended;
}

void Search::Advance(absl::Span<const VocabularyAnswer> answers, absl::Span<const float> places) {
  if (in_prefix()) {
    beams_[0] = Extended(beams_[0], 0, prefix_[static_cast<size_t>(length_)], 0);
    ++length_;
    return;
  }
  std::vector<VocabularyAnswer> penalized;
  if (options_.repetition_penalty != 1) {
    for (size_t i = 0; i < answers.size(); ++i) {
      float* logits = logits_.data() + i * static_cast<size_t>(vocabulary_);
      penalized.push_back(Penalized(beams_[i], answers[i], logits, top()));
      for (size_t k = 0; k < answers[i].wanted_logits.size(); ++k) {
        const float logit = logits[beams_[i].wanted[k]];  // -infinity if the token is banned, which a phrase may be
        penalized.back().wanted_logits.push_back(std::isfinite(logit) ? logit : answers[i].wanted_logits[k]);
      }
    }
    answers = penalized;
  }
  if (options_.beam_size == 1) {
    AdvanceOne(answers[0], logits_.data());
  } else if (forces()) {
    AdvanceForced(answers, places);
  } else {
    AdvanceBeams(answers);
  }
}

// transformers' warpers in their order: temperature, top-k, top-p.
int32_t Search::Draw(const VocabularyAnswer& answer, float* logits) {
  const Sampling& sampling = options_.sampling;
  const double best = answer.best[0].logit;
  const auto weight_of = [&](float logit) {
    return std::exp((static_cast<double>(logit) - best) / static_cast<double>(sampling.temperature));
  };
  std::vector<Candidate> candidates;
  for (int64_t id = 0; id < vocabulary_; ++id) {
    if (logits[id] > -std::numeric_limits<float>::infinity())
      candidates.push_back({logits[id], static_cast<int32_t>(id)});
  }
  if (sampling.top_k > 0 && static_cast<size_t>(sampling.top_k) < candidates.size()) {
    std::nth_element(candidates.begin(), candidates.begin() + sampling.top_k, candidates.end(), Better);
    candidates.resize(static_cast<size_t>(sampling.top_k));
  }
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += weight_of(candidate.logit);
  if (sampling.top_p < 1) {
    // The fewest of the likeliest that make up top_p. Few usually do: the rest of the vocabulary stays unsorted.
    double enough = sum * sampling.top_p, kept_sum = 0;
    size_t kept = 0;
    for (size_t sorted = 0; kept_sum < enough && kept < candidates.size(); ++kept) {
      if (kept == sorted) {
        sorted = std::min(candidates.size(), std::max<size_t>(64, 4 * sorted));
        std::partial_sort(candidates.begin() + static_cast<int64_t>(kept),
                          candidates.begin() + static_cast<int64_t>(sorted), candidates.end(), Better);
      }
      kept_sum += weight_of(candidates[kept].logit);
    }
    candidates.resize(std::max<size_t>(1, kept));
    sum = kept_sum;
  }
  double left = Uniform(random_) * sum;
  for (const Candidate& candidate : candidates) {
    left -= weight_of(candidate.logit);
    if (left < 0) return candidate.id;
  }
  return candidates.back().id;
}

void Search::AdvanceOne(const VocabularyAnswer& answer, float* logits) {
  const bool last = length_ + 1 == options_.max_tokens;
  if (last && rules_.force_eos) {
    beams_[0] = Extended(beams_[0], {beams_[0].score, 0, rules_.eos, 0});
    ++length_;
    Finish(FinishReason::kLength);
    return;
  }
  if (answer.best.empty()) {  // every token is banned
    Finish(FinishReason::kLength);
    return;
  }
  const int32_t token = options_.sample ? Draw(answer, logits) : answer.best[0].id;
  const float logit = options_.sample ? logits[token] : answer.best[0].logit;
  Extension extension = {0, 0, token, 0};
  if (options_.scores) {
    extension.score = beams_[0].score + (logit - answer.log_normalizer);
    extension.log_probability = LogProbability(beams_[0], token, logit, answer);
  }
  beams_[0] = Extended(beams_[0], extension);
  ++length_;
  if (token == rules_.eos) {
    Finish(FinishReason::kEos);
  } else if (Loops(beams_[0])) {
    Finish(FinishReason::kLoop);
  } else if (last) {
    Finish(FinishReason::kLength);
  }
}

void Search::AdvanceBeams(absl::Span<const VocabularyAnswer> answers) {
  const size_t beam_size = static_cast<size_t>(options_.beam_size);
  const bool last = length_ + 1 == options_.max_tokens;
  std::vector<Extension> extensions;
  for (size_t b = 0; b < beams_.size(); ++b) {
    const int32_t beam = static_cast<int32_t>(b);
    if (last && rules_.force_eos) {
      extensions.push_back({beams_[b].score, beam, rules_.eos, 0});
      continue;
    }
    for (const Candidate& candidate : answers[b].best) {
      extensions.push_back({beams_[b].score + (candidate.logit - answers[b].log_normalizer), beam, candidate.id,
                            LogProbability(beams_[b], candidate.id, candidate.logit, answers[b])});
    }
  }
  const size_t ranks = std::min(extensions.size(), 2 * beam_size);
  std::partial_sort(extensions.begin(), extensions.begin() + static_cast<int64_t>(ranks), extensions.end(),
                    BetterExtension<Extension>);
  extensions.resize(ranks);

  std::vector<Beam> running;
  ++length_;
  for (size_t rank = 0; rank < ranks && running.size() < beam_size; ++rank) {
    const Extension& extension = extensions[rank];
    Beam beam = Extended(beams_[static_cast<size_t>(extension.beam)], extension);
    if (extension.token == rules_.eos) {
      // An end outside the best beam_size is passed over: a running hypothesis is better than it.
      if (rank < beam_size)
        AddFinished(std::move(beam), last && rules_.force_eos ? FinishReason::kLength : FinishReason::kEos);
    } else if (Loops(beam)) {
      if (rank < beam_size) AddFinished(std::move(beam), FinishReason::kLoop);
    } else {
      running.push_back(std::move(beam));
    }
  }
  if (ranks == 0) {  // every token of every hypothesis is banned
    --length_;
    Finish(FinishReason::kLength);
    return;
  }
  beams_ = std::move(running);
  if (beams_.empty() || loops_.size() >= beam_size || NoneCanImprove(extensions[0].score)) {
    beams_.clear();
    done_ = true;
  } else if (last) {
    Finish(FinishReason::kLength);
  }
}

void Search::WantPhrases(Beam& beam) const {
  beam.wanted.clear();
  beam.wanted_phrases.clear();
  const auto want = [&](int32_t phrase, int32_t token) {
    beam.wanted.push_back(forced_.phrases[static_cast<size_t>(phrase)][static_cast<size_t>(token)]);
    beam.wanted_phrases.push_back(phrase);
  };
  if (beam.open >= 0) return want(beam.open, beam.open_tokens);
  for (size_t p = 0; p < forced_.phrases.size(); ++p) {
    if ((beam.begun >> p & 1) != 0) continue;
    const auto is_same = [&](int32_t other) {
      return forced_.phrases[static_cast<size_t>(other)] == forced_.phrases[p];
    };
    if (std::none_of(beam.wanted_phrases.begin(), beam.wanted_phrases.end(), is_same)) want(static_cast<int32_t>(p), 0);
  }
}

bool Search::IsBehindPhrase(const Beam& beam) const {
  if (beam.placed.empty()) return false;
  const auto& [phrase, begin] = beam.placed.back();
  return static_cast<size_t>(begin) + forced_.phrases[static_cast<size_t>(phrase)].size() == beam.tokens.size();
}

int32_t Search::CompletedBy(const Beam& beam, int32_t token) const {
  size_t first = prefix_.size();  // that is not part of another phrase
  if (!beam.placed.empty()) {
    const PlacedPhrase& last = beam.placed.back();
    first = static_cast<size_t>(last.begin) + forced_.phrases[static_cast<size_t>(last.phrase)].size();
  }
  for (const int32_t p : beam.wanted_phrases) {
    const std::vector<int32_t>& phrase = forced_.phrases[static_cast<size_t>(p)];
    const size_t before = phrase.size() - 1;
    if (phrase.back() == token && beam.tokens.size() >= first + before &&
        std::equal(phrase.begin(), phrase.end() - 1, beam.tokens.end() - static_cast<int64_t>(before))) {
      return p;
    }
  }
  return -1;
}

std::vector<std::vector<Search::ForcedExtension>> Search::ForcedExtensions(absl::Span<const VocabularyAnswer> answers,
                                                                           absl::Span<const float> places) const {
  const size_t phrases = forced_.phrases.size();
  const bool ends = rules_.force_eos && length_ + 1 == options_.max_tokens;
  const int64_t room = options_.max_tokens - length_ - 1 - rules_.force_eos;  // for phrases, behind the next token
  std::vector<std::vector<ForcedExtension>> banks(static_cast<size_t>(phrase_tokens_) + 1);
  for (size_t b = 0; b < beams_.size(); ++b) {
    const Beam& beam = beams_[b];
    const VocabularyAnswer& answer = answers[b];
    const int32_t parent = static_cast<int32_t>(b);
    const auto add = [&](int32_t token, float logit, ForcedExtension extension) {
      extension.extension = {beam.score + (logit - answer.log_normalizer) + extension.bonus, parent, token,
                             LogProbability(beam, token, logit, answer)};
      extension.begun = beam.begun;
      for (const int32_t phrase : {extension.phrase, extension.completed}) {
        if (phrase >= 0) extension.begun |= uint64_t{1} << phrase;
      }
      int32_t missing = beam.missing - (extension.phrase >= 0);
      if (extension.completed >= 0) {
        missing -= static_cast<int32_t>(forced_.phrases[static_cast<size_t>(extension.completed)].size());
      }
      banks[static_cast<size_t>(phrase_tokens_ - missing)].push_back(extension);
    };
    if (ends) {
      banks.back().push_back({{beam.score, parent, rules_.eos, 0}, -1, -1, 0, beam.begun});
      continue;
    }
    for (size_t i = 0; i < beam.wanted.size() && beam.missing - 1 <= room; ++i) {
      const int32_t phrase = beam.wanted_phrases[i];
      const bool begins = beam.open < 0 && !places.empty();
      const float bonus = begins ? places[b * phrases + static_cast<size_t>(phrase)] : 0;
      add(beam.wanted[i], answer.wanted_logits[i], {{}, phrase, -1, bonus, 0});
    }
    if (beam.open >= 0 || beam.missing > room) continue;
    const bool behind_phrase = IsBehindPhrase(beam);
    for (const Candidate& candidate : answer.best) {
      const int32_t token = candidate.id;
      if (token == rules_.eos && beam.missing > 0) continue;
      if (behind_phrase && token != rules_.eos && forced_.continuing != nullptr &&
          (*forced_.continuing)[static_cast<size_t>(token)]) {
        continue;
      }
      const int32_t completed = CompletedBy(beam, token);
      // A phrase of one token has been added above.
      if (completed >= 0 && forced_.phrases[static_cast<size_t>(completed)].size() == 1) continue;
      add(token, candidate.logit, {{}, -1, completed, 0, 0});
    }
  }
  for (std::vector<ForcedExtension>& bank : banks) {
    std::sort(bank.begin(), bank.end(), [](const ForcedExtension& x, const ForcedExtension& y) {
      return BetterExtension(x.extension, y.extension);
    });
  }
  return banks;
}

std::vector<size_t> Search::Shares(absl::Span<const std::vector<ForcedExtension>> banks) const {
  size_t left = static_cast<size_t>(options_.beam_size);
  const size_t fair = std::max<size_t>(1, left / banks.size());
  std::vector<size_t> shares(banks.size());
  // Those with more first: they are closer to the end.
  for (size_t bank = banks.size(); bank-- > 0;) {
    shares[bank] = std::min({fair, banks[bank].size(), left});
    left -= shares[bank];
  }
  for (bool found = true; left > 0 && found;) {
    found = false;
    for (size_t bank = banks.size(); bank-- > 0 && left > 0;) {
      if (shares[bank] == banks[bank].size()) continue;
      ++shares[bank];
      --left;
      found = true;
    }
  }
  return shares;
}

// One may have begun a phrase that the network wrote for the other.
bool Search::SameHypothesis(const ForcedExtension& a, const ForcedExtension& b) const {
  return a.extension.token == b.extension.token && a.begun == b.begun && a.extension.beam != b.extension.beam &&
         beams_[static_cast<size_t>(a.extension.beam)].tokens == beams_[static_cast<size_t>(b.extension.beam)].tokens;
}

Search::Beam Search::ExtendedByForced(const ForcedExtension& extension) {
  Beam beam = Extended(beams_[static_cast<size_t>(extension.extension.beam)], extension.extension);
  beam.bonus += extension.bonus;
  beam.begun = extension.begun;
  const auto size_of = [&](int32_t phrase) {
    return static_cast<int32_t>(forced_.phrases[static_cast<size_t>(phrase)].size());
  };
  const int32_t end = static_cast<int32_t>(beam.tokens.size());
  if (extension.completed >= 0) {
    beam.missing -= size_of(extension.completed);
    beam.placed.push_back({extension.completed, end - size_of(extension.completed)});
  }
  if (extension.phrase < 0) return beam;
  beam.phrase_score += extension.bonus + extension.extension.log_probability;
  if (beam.open < 0) beam.open_score = 0, beam.open_tokens = 0;
  beam.open = extension.phrase;
  ++beam.open_tokens;
  --beam.missing;
  beam.open_score += extension.extension.log_probability;
  if (beam.open_tokens == size_of(beam.open)) {
    beam.placed.push_back({beam.open, end - beam.open_tokens});
    float& best = best_placed_[static_cast<size_t>(beam.open)];
    if (!(best > beam.open_score)) best = beam.open_score;
    beam.open = -1;
  }
  return beam;
}

void Search::AdvanceForced(absl::Span<const VocabularyAnswer> answers, absl::Span<const float> places) {
  const bool last = length_ + 1 == options_.max_tokens;
  const std::vector<std::vector<ForcedExtension>> banks = ForcedExtensions(answers, places);
  const std::vector<size_t> shares = Shares(banks);
  std::vector<Beam> running;
  ++length_;
  for (size_t bank = banks.size(); bank-- > 0;) {
    const size_t before = running.size();
    std::vector<const ForcedExtension*> taken;
    for (size_t rank = 0; rank < banks[bank].size() && running.size() < before + shares[bank]; ++rank) {
      const ForcedExtension& extension = banks[bank][rank];
      if (std::any_of(taken.begin(), taken.end(),
                      [&](const ForcedExtension* other) { return SameHypothesis(*other, extension); })) {
        continue;
      }
      taken.push_back(&extension);
      Beam beam = ExtendedByForced(extension);
      if (extension.extension.token == rules_.eos && extension.phrase < 0) {
        if (rank < shares[bank]) {
          AddFinished(std::move(beam), last && rules_.force_eos ? FinishReason::kLength : FinishReason::kEos);
        }
      } else if (extension.phrase < 0 && Loops(beam)) {
        if (rank < shares[bank] && beam.missing == 0) AddFinished(std::move(beam), FinishReason::kLoop);
      } else {
        running.push_back(std::move(beam));
      }
    }
  }
  if (std::all_of(banks.begin(), banks.end(), [](const auto& bank) { return bank.empty(); })) {
    --length_;
    Finish(FinishReason::kLength);
    return;
  }
  beams_ = std::move(running);
  if (beams_.empty() || loops_.size() >= enough() || NoneForcedCanImprove()) {
    beams_.clear();
    done_ = true;
  } else if (last) {
    Finish(FinishReason::kLength);
  }
}

double Search::ForcedRank(double sum, double length, double phrase_score, double phrase_tokens) const {
  const double penalty = static_cast<double>(options_.length_penalty);
  const double own = std::max(1.0, length - phrase_tokens);
  return (sum - phrase_score) / std::pow(own, penalty) + phrase_score / std::pow(forced_.usual_length, penalty);
}

// As NoneCanImprove; and what a phrase has cost at least is what it will.
bool Search::NoneForcedCanImprove() const {
  if (finished_.size() < enough()) return false;
  if (options_.early_stopping == EarlyStopping::kFirst) return true;
  const bool never = options_.early_stopping == EarlyStopping::kNever;
  const bool at_longest = never && options_.length_penalty > 0;
  const int64_t longest = options_.max_tokens - static_cast<int64_t>(prefix_.size());
  return std::all_of(beams_.begin(), beams_.end(), [&](const Beam& beam) {
    double still = 0;  // to pay for phrases
    for (size_t p = 0; p < best_placed_.size() && !never; ++p) {
      if ((beam.begun >> p & 1) == 0 && best_placed_[p] < 0) still += static_cast<double>(best_placed_[p]);
    }
    const double length = static_cast<double>(at_longest ? longest : generated() + beam.missing);
    return worst_finished_ >= ForcedRank(static_cast<double>(beam.score) + still, length,
                                         static_cast<double>(beam.phrase_score) + still,
                                         static_cast<double>(phrase_tokens_));
  });
}

// A repetition of the prefix alone is the caller's wish.
bool Search::Loops(const Beam& beam) const {
  return stop_loops_ && EndsInLoop(absl::MakeConstSpan(beam.tokens).subspan(prefix_.size()));
}

void Search::AddFinished(Beam beam, FinishReason reason) {
  FoundHypothesis found;
  const double length = static_cast<double>(std::max<int64_t>(1, generated()));
  found.score = static_cast<double>(beam.score) / std::pow(length, static_cast<double>(options_.length_penalty));
  found.reason = reason;
  found.tokens = std::move(beam.tokens);
  found.slots = std::move(beam.slots);
  found.log_probabilities = std::move(beam.log_probabilities);
  found.placed = std::move(beam.placed);
  found.rank = found.score;
  if (forces()) {
    found.rank = ForcedRank(static_cast<double>(beam.score), length, static_cast<double>(beam.phrase_score),
                            static_cast<double>(phrase_tokens_));
    found.score -= static_cast<double>(beam.bonus) / std::pow(length, static_cast<double>(options_.length_penalty));
  }
  const auto is_same = [&](const FoundHypothesis& other) { return other.tokens == found.tokens; };
  if (forces() && std::any_of(finished_.begin(), finished_.end(), is_same)) return;
  if (reason == FinishReason::kLoop) {
    const absl::Span<const int32_t> behind_prefix = absl::MakeConstSpan(found.tokens).subspan(prefix_.size());
    size_t kept = prefix_.size() + static_cast<size_t>(TokensBeforeRepetition(behind_prefix));
    if (!found.placed.empty()) {
      const PlacedPhrase& phrase = found.placed.back();
      const size_t end = static_cast<size_t>(phrase.begin) + forced_.phrases[static_cast<size_t>(phrase.phrase)].size();
      kept = std::max(kept, end);
    }
    found.tokens.resize(kept);
    found.slots.resize(kept);
    found.log_probabilities.resize(kept - prefix_.size());
    loops_.push_back(std::move(found));
    return;
  }
  const size_t most = enough();
  if (finished_.size() >= most && found.rank <= worst_finished_) return;
  finished_.push_back(std::move(found));
  const auto worse = [](const FoundHypothesis& x, const FoundHypothesis& y) { return x.rank < y.rank; };
  if (finished_.size() > most) finished_.erase(std::min_element(finished_.begin(), finished_.end(), worse));
  worst_finished_ = std::min_element(finished_.begin(), finished_.end(), worse)->rank;
}

bool Search::NoneCanImprove(float best_sum) const {
  if (finished_.size() < static_cast<size_t>(options_.beam_size)) return false;
  if (options_.early_stopping == EarlyStopping::kFirst) return true;
  const bool at_longest = options_.early_stopping == EarlyStopping::kNever && options_.length_penalty > 0;
  const int64_t length = at_longest ? options_.max_tokens - static_cast<int64_t>(prefix_.size()) : generated();
  const double attainable = static_cast<double>(best_sum) /
                            std::pow(static_cast<double>(length), static_cast<double>(options_.length_penalty));
  return worst_finished_ >= attainable;
}

void Search::Finish(FinishReason reason) {
  for (Beam& beam : beams_) {
    if (beam.missing == 0) AddFinished(std::move(beam), reason);
  }
  beams_.clear();
  done_ = true;
}

absl::Span<const int32_t> Search::tokens() const {
  if (!beams_.empty()) return beams_[0].tokens;
  if (!finished_.empty()) return finished_[0].tokens;
  if (!loops_.empty()) return loops_[0].tokens;
  return {};
}

std::vector<FoundHypothesis> Search::TakeResults() {
  // Of equals the later one first, as transformers takes them from the end of its sorted list.
  std::reverse(finished_.begin(), finished_.end());
  const auto better = [](const FoundHypothesis& a, const FoundHypothesis& b) { return a.rank > b.rank; };
  std::stable_sort(finished_.begin(), finished_.end(), better);
  // The tokens of a loop are all but certain, so that its score would beat that of a sentence: loops come last.
  std::stable_sort(loops_.begin(), loops_.end(), better);
  finished_.insert(finished_.end(), std::make_move_iterator(loops_.begin()), std::make_move_iterator(loops_.end()));
  if (finished_.size() > static_cast<size_t>(options_.n_best)) finished_.resize(static_cast<size_t>(options_.n_best));
  return std::move(finished_);
}

}  // namespace heed
