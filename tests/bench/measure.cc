// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/measure.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace heed::bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double FmaPeakOnTarget() {
  constexpr int kSums = 12;
  constexpr int kSteps = 200'000;
  const hn::ScalableTag<float> d;
  auto factor = hn::Set(d, 0.999f);
  hn::Vec<decltype(d)> sum[kSums];
  for (auto& s : sum) s = hn::Set(d, 1.0f);
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    const double begin = SecondsNow();
    for (int step = 0; step < kSteps; ++step) {
      HWY_UNROLL(16)
      for (int i = 0; i < kSums; ++i) sum[i] = hn::MulAdd(sum[i], factor, factor);
    }
    const double flops = 2.0 * kSums * kSteps * static_cast<double>(hn::Lanes(d));
    best = std::max(best, flops / (SecondsNow() - begin));
  }
  volatile float kept = 0;
  for (auto& s : sum) kept = kept + hn::GetLane(s);
  return best / 1e9;
}

}  // namespace HWY_NAMESPACE
}  // namespace heed::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace heed::bench {

HWY_EXPORT(FmaPeakOnTarget);

double FmaPeak() { return HWY_DYNAMIC_DISPATCH(FmaPeakOnTarget)(); }

double ReadingSpeed(Team& team) {
  constexpr size_t kFloats = size_t{1} << 28;  // 1 GiB
  constexpr int64_t kParts = 64;
  std::vector<float> memory(kFloats, 1.0f);
  std::vector<float> sums(kParts);
  std::vector<double> seconds;
  for (int round = 0; round < 5; ++round) {
    const double begin = SecondsNow();
    team.Run(kParts, [&](int64_t part) {
      const float* from = memory.data() + static_cast<size_t>(part) * (kFloats / kParts);
      float sum[64] = {};
      for (size_t i = 0; i < kFloats / kParts; i += 64) {
        for (size_t k = 0; k < 64; ++k) sum[k] += from[i + k];
      }
      for (const float one : sum) sums[static_cast<size_t>(part)] += one;
    });
    seconds.push_back(SecondsNow() - begin);
  }
  return static_cast<double>(kFloats * sizeof(float)) / Median(seconds);
}

}  // namespace heed::bench
#endif
