// SPDX-License-Identifier: Apache-2.0
//
// The one border where LibTorch's exceptions become statuses. Everything of
// common/llm and common/ctr that runs tensors on behalf of others goes through
// GuardTorch, so that no exception crosses into a service.
//
// Errors: kResourceExhausted  LibTorch or the allocator ran out of memory
//         kInternal           any other c10::Error: shapes, dtypes, devices
#pragma once

#include <absl/status/status.h>
#include <c10/util/Exception.h>

#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace larr {

// The status of an exception that was caught while doing `what`.
absl::Status TorchErrorToStatus(std::string_view what, const c10::Error& error);

// Runs `body`, which returns absl::Status or absl::StatusOr<T>. `what` says in
// a few words what is being done; it opens the message of an error.
template <typename Body>
std::invoke_result_t<Body> GuardTorch(std::string_view what, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const c10::Error& error) {
    return TorchErrorToStatus(what, error);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(std::string(what) + ": out of memory");
  }
}

}  // namespace larr
