// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_sequence_model.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace heed {
namespace {

constexpr int64_t kOutputs = 2;

class FakeSequenceTask : public SequenceTask {
 public:
  // The outputs of the last `wanted` of `rows` rows; those beyond `values` are zeros.
  FakeSequenceTask(SequenceRequest request, int64_t rows, int64_t wanted)
      : request_(std::move(request)), rows_(rows), wanted_(wanted) {
    result_.width = kOutputs;
  }

  int64_t next_rows() const override { return 1; }
  int64_t peak_bytes() const override { return 1000; }
  bool has_output() const override { return finished(); }
  const SequenceResult& result() const override { return result_; }

  void Advance() {
    for (int64_t column = 0; column < kOutputs; ++column) {
      const auto index = static_cast<size_t>(done_ * request_.width + column);
      const float value = index < request_.values.size() ? request_.values[index] : 0;
      if (value == -1) return Finish(absl::InternalError("the fake was told to fail"));
      sums_[column] += value;
    }
    if (done_ >= rows_ - wanted_) result_.values.insert(result_.values.end(), sums_, sums_ + kOutputs);
    if (++done_ == rows_) Finish();
  }

 private:
  const SequenceRequest request_;
  const int64_t rows_;
  const int64_t wanted_;
  int64_t done_ = 0;
  float sums_[kOutputs] = {};
  SequenceResult result_;
};

}  // namespace

FakeSequenceModel::FakeSequenceModel(std::string name) {
  spec_.name = std::move(name);
  spec_.architecture = "fake-sequences";
}

absl::StatusOr<std::unique_ptr<SequenceTask>> FakeSequenceModel::Start(SequenceRequest request) const {
  const bool data = request.width == data_width();
  if (!data && request.width != input_width()) {
    return absl::InvalidArgumentError(absl::StrCat("width: ", request.width, ", the model reads rows of ",
                                                   input_width(), ", or data of ", data_width()));
  }
  const auto values = static_cast<int64_t>(request.values.size());
  if (values == 0 || values % request.width != 0) {
    return absl::InvalidArgumentError(absl::StrCat("values: ", values, " are no whole rows of width ", request.width));
  }
  for (size_t i = 0; i < request.values.size(); ++i) {
    if (std::isfinite(request.values[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("values[", i, "]: ", request.values[i], " is no number"));
  }
  const int64_t given = values / request.width;
  const int64_t wanted = data ? request.repeats.value_or(1) : request.answer_rows.value_or(given);
  const int64_t rows = data || request.answer_rows ? given + wanted : given;
  if (wanted < 1 || rows > kMaxSequenceRows) {
    return absl::InvalidArgumentError(
        absl::StrCat("values: ", rows, " rows, ", wanted, " of them the answer's, at most ", kMaxSequenceRows));
  }
  return std::make_unique<FakeSequenceTask>(std::move(request), rows, wanted);
}

void FakeSequenceModel::Step(absl::Span<Task* const> tasks, Context&) const {
  gate_.Pass();
  for (Task* task : tasks) static_cast<FakeSequenceTask*>(task)->Advance();
}

}  // namespace heed
