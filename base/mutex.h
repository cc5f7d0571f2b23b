// SPDX-License-Identifier: Apache-2.0
// Locks that clang's thread-safety analysis can check (-Wthread-safety) and that the thread sanitizer can see: thin
// wrappers of std::mutex and std::condition_variable.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"  // GUARDED_BY, PT_GUARDED_BY

#if defined(__clang__)
#define HEED_ATTRIBUTE(x) __attribute__((x))
#else
#define HEED_ATTRIBUTE(x)
#endif
#define CAPABILITY(x) HEED_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY HEED_ATTRIBUTE(scoped_lockable)
#define REQUIRES(...) HEED_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) HEED_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) HEED_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) HEED_ATTRIBUTE(release_capability(__VA_ARGS__))

namespace heed {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Callers hold the mutex and test their condition in a loop: wake-ups may be spurious.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns at `deadline` at the latest.
  void WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_until(lock, deadline);
    lock.release();
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace heed
