// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/cut_off.h"

#include <chrono>
#include <utility>

namespace heed {

void CutOff::After(Clock::duration wait) {
  {
    MutexLock lock(connection_->mutex);
    if (std::exchange(connection_->armed, true)) return;
  }
  auto cut_off = [connection = connection_](bool due) {
    MutexLock lock(connection->mutex);
    if (due && connection->context != nullptr) connection->context->TryCancel();
  };
  alarm_.Set(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(wait),
             std::move(cut_off));
}

void CutOff::Disarm() {
  MutexLock lock(connection_->mutex);
  connection_->context = nullptr;
}

}  // namespace heed
