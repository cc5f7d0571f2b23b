// SPDX-License-Identifier: Apache-2.0
#include "models/ntm/ntm_frame.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/invalid_argument.h"
#include "models/kinds/sequence_model.h"

namespace heed {
namespace {

// Appends rows of data_width numbers and `channels` more.
class FramedRows {
 public:
  FramedRows(int64_t data_width, int64_t channels) : data_width_(data_width), width_(data_width + channels) {}

  void Data(const float* row) {
    Add();
    std::copy_n(row, data_width_, values_.end() - width_);
  }
  void Mark(int64_t channel, float value) {
    Add();
    *(values_.end() - width_ + data_width_ + channel) = value;
  }
  // With so many blank rows behind, whose outputs are the answer.
  FramedSequence Take(int64_t answer_rows) {
    const int64_t rows = static_cast<int64_t>(values_.size()) / width_;
    return {std::move(values_), rows + answer_rows, rows};
  }

 private:
  void Add() { values_.resize(values_.size() + static_cast<size_t>(width_)); }

  int64_t data_width_, width_;
  std::vector<float> values_;
};

}  // namespace

absl::StatusOr<FramedSequence> FrameSequence(const NtmFrameConfig& frame, const std::vector<float>& values,
                                             std::optional<int64_t> repeats) {
  const int64_t rows = static_cast<int64_t>(values.size()) / frame.data_width;
  const auto row = [&](int64_t i) { return values.data() + i * frame.data_width; };
  if (repeats && frame.task != FrameTask::kRepeatCopy) {
    return InvalidField("repeat_count", *repeats, ", but the model repeats nothing");
  }
  const int64_t times = repeats.value_or(1);
  if (frame.task == FrameTask::kRepeatCopy && (times < 1 || times > frame.max_repeats)) {
    return InvalidField("repeat_count", times, ", must be 1 to ", frame.max_repeats);
  }
  if (rows * (times + 1) + 1 > kMaxSequenceRows) {
    return InvalidField("values", rows, " rows of data and ", rows * times, " of the answer are more than ",
                        kMaxSequenceRows);
  }
  if (frame.task != FrameTask::kRecall) {
    FramedRows framed(frame.data_width, 1);
    for (int64_t i = 0; i < rows; ++i) framed.Data(row(i));
    framed.Mark(0,
                frame.task == FrameTask::kCopy ? 1 : static_cast<float>(times) / static_cast<float>(frame.max_repeats));
    return framed.Take(rows * times);
  }
  const int64_t items = rows / frame.item_rows;
  if (rows % frame.item_rows != 0 || items < 2) {
    return InvalidField("values", rows, " rows are not items of ", frame.item_rows,
                        " rows, at least one and the query");
  }
  FramedRows framed(frame.data_width, 2);
  for (int64_t item = 0; item < items; ++item) {
    framed.Mark(item + 1 < items ? 0 : 1, 1);
    for (int64_t i = 0; i < frame.item_rows; ++i) framed.Data(row(item * frame.item_rows + i));
  }
  framed.Mark(1, 1);
  return framed.Take(frame.item_rows);
}

}  // namespace heed
