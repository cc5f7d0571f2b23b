// SPDX-License-Identifier: Apache-2.0
// Tells the thread sanitizer what gRPC puts in order. Debian's gRPC and Abseil are built without the sanitizer, so that
// all that they hand from thread to thread would look like a race: 195 reports of 100 calls that have none. Programs of
// the tsan preset hold this file, and the dynamic linker gives its functions, in place of the libraries' own, to the
// libraries too. Each calls the library's, and tells the sanitizer what that one promises:
//   - Abseil's locks, those that gRPC uses;
//   - that what comes before an operation is given to gRPC, comes before its completion;
//   - that what is sent comes before what is received later, as the sanitizer itself takes it for sockets;
//   - that all of a call comes before its OnDone, and all calls before the end of a shutdown.
// So races with gRPC's threads are seen like those among ours: faults.cc holds that they are.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/server.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace {

// The library's own function of this name.
template <typename Function>
Function* Next(const char* symbol) {
  if (void* const found = dlsym(RTLD_NEXT, symbol)) return reinterpret_cast<Function*>(found);
  std::fprintf(stderr, "tests/sanitizers/grpc_order.cc: no library has %s; another version of gRPC or Abseil?\n",
               symbol);
  std::abort();
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const lock = Next<void(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  lock(this);
  __tsan_acquire(this);
}

bool Mutex::TryLock() {
  static auto* const try_lock = Next<bool(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = try_lock(this);
  if (locked) __tsan_acquire(this);
  return locked;
}

void Mutex::Unlock() {
  static auto* const unlock = Next<void(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  __tsan_release(this);
  unlock(this);
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const wait = Next<void(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  __tsan_release(mutex);
  wait(this, mutex);
  __tsan_acquire(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static auto* const wait =
      Next<bool(CondVar*, Mutex*, Duration)>("_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  __tsan_release(mutex);
  const bool expired = wait(this, mutex, timeout);
  __tsan_acquire(mutex);
  return expired;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const wait =
      Next<bool(CondVar*, Mutex*, Time)>("_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  __tsan_release(mutex);
  const bool expired = wait(this, mutex, deadline);
  __tsan_acquire(mutex);
  return expired;
}

ABSL_NAMESPACE_END
}  // namespace absl

namespace {

// What was sent, on any connection.
char sent;

// The tag of an operation stands for all that comes before it.
void Begins(void* tag) {
  __tsan_release(tag);
  __tsan_release(&sent);
}

grpc_event Ended(const grpc_event& event) {
  if (event.type == GRPC_OP_COMPLETE) {
    __tsan_acquire(event.tag);
    __tsan_acquire(&sent);
  }
  return event;
}

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag, void* reserved) {
  static auto* const start = Next<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  Begins(tag);
  return start(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static auto* const next = Next<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  return Ended(next(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  static auto* const pluck = Next<decltype(grpc_completion_queue_pluck)>("grpc_completion_queue_pluck");
  return Ended(pluck(queue, tag, deadline, reserved));
}

}  // extern "C"

// Of gRPC's core, not in its headers: an operation is complete.
struct grpc_cq_completion;
void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    void (*done)(void*, grpc_cq_completion*), void* done_argument, grpc_cq_completion* storage,
                    bool internal) {
  static auto* const end = Next<decltype(grpc_cq_end_op)>(
      "_Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
  __tsan_release(tag);
  end(queue, tag, std::move(error), done, done_argument, storage, internal);
}

// What a call's threads did before they took one from its count, comes before what runs when the count is nought.
namespace grpc::internal {

void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  static auto* const schedule =
      Next<void(ServerCallbackCall*, bool)>("_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  __tsan_acquire(&callbacks_outstanding_);
  schedule(this, inline_ondone);
}

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  // Its OnCancel, too, ends before one is taken from the count of the call, by the library.
  class Cancelled : public ServerReactor {
   public:
    Cancelled(ServerReactor* reactor, void* count) : reactor_(reactor), count_(count) {}
    void OnCancel() override {
      reactor_->OnCancel();
      __tsan_release(count_);
      delete this;
    }
    void OnDone() override { std::abort(); }  // the call tells the reactor itself
    bool InternalInlineable() override { return reactor_->InternalInlineable(); }

   private:
    ServerReactor* const reactor_;
    void* const count_;
  };
  static auto* const call_on_cancel = Next<void(ServerCallbackCall*, ServerReactor*)>(
      "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE");
  __tsan_acquire(&on_cancel_conditions_remaining_);
  call_on_cancel(this, new Cancelled(reactor, &callbacks_outstanding_));
}

}  // namespace grpc::internal

// All that calls did comes before the end of the server's shutdown.
namespace grpc {

void Server::UnrefWithPossibleNotify() {
  static auto* const unref = Next<void(Server*)>("_ZN4grpc6Server23UnrefWithPossibleNotifyEv");
  __tsan_release(&shutdown_refs_outstanding_);
  unref(this);
}

void Server::UnrefAndWaitLocked() {
  static auto* const wait = Next<void(Server*)>("_ZN4grpc6Server18UnrefAndWaitLockedEv");
  wait(this);
  __tsan_acquire(&shutdown_refs_outstanding_);
}

}  // namespace grpc
