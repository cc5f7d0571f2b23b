// SPDX-License-Identifier: Apache-2.0
// Holds the steps of a fake model, which lets a test act between two of them.
#pragma once

#include "base/mutex.h"

namespace heed {

// Thread-safe.
class StepGate {
 public:
  // For the model, at the beginning of a step: waits while the gate is held.
  void Pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.NotifyAll();
    while (held_ && allowed_ == 0) changed_.Wait(mutex_);
    if (held_) --allowed_;
    --waiting_;
    changed_.NotifyAll();
  }

  // From now on steps wait, before they do anything.
  void Hold() {
    MutexLock lock(mutex_);
    held_ = true;
  }
  // Waits until a step is waiting; then nothing of its batch changes until Allow or Release.
  void WaitUntilHeld() {
    MutexLock lock(mutex_);
    while (waiting_ == 0 || allowed_ > 0) changed_.Wait(mutex_);
  }
  // Lets `steps` more steps pass, and returns when these have begun.
  void Allow(int steps) {
    MutexLock lock(mutex_);
    allowed_ += steps;
    changed_.NotifyAll();
    while (allowed_ > 0) changed_.Wait(mutex_);
  }
  // Lets all steps pass.
  void Release() {
    MutexLock lock(mutex_);
    held_ = false;
    allowed_ = 0;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool held_ GUARDED_BY(mutex_) = false;
  int allowed_ GUARDED_BY(mutex_) = 0;  // steps that may pass while held
  int waiting_ GUARDED_BY(mutex_) = 0;  // steps that wait
};

}  // namespace heed
