// SPDX-License-Identifier: Apache-2.0
// Where exceptions of the libraries below become a status: one request fails, the process lives. Our own code throws
// none; containers throw std::bad_alloc, and a few libraries throw others.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heed {

// What is being handled by the catch block that calls this: RESOURCE_EXHAUSTED for want of memory, else INTERNAL.
inline absl::Status StatusOfException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the server has no memory for this request");
  } catch (const std::exception& exception) {
    return absl::InternalError(absl::StrCat("an exception ended the request: ", exception.what()));
  } catch (...) {
    return absl::InternalError("an exception of unknown type ended the request");
  }
}

// What `work` returns, an absl::Status or an absl::StatusOr, or the status of what it throws.
template <typename Work>
auto WithoutExceptions(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    return StatusOfException();
  }
}

}  // namespace heed
