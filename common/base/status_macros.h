// SPDX-License-Identifier: Apache-2.0
//
// The two macros that abseil of Debian 12 lacks. Both may only be used in
// functions that return absl::Status or absl::StatusOr<T>.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function if `expr` is not OK.
#define LARR_RETURN_IF_ERROR(expr)                              \
  do {                                                          \
    if (absl::Status larr_status_ = (expr); !larr_status_.ok()) \
      return larr_status_;                                      \
  } while (false)

// Assigns the value of the StatusOr `expr` to `lhs`, which may declare a
// variable, or returns its status. Two statements: needs braces after an `if`.
#define LARR_ASSIGN_OR_RETURN(lhs, expr) \
  LARR_ASSIGN_OR_RETURN_(LARR_CONCAT_(larr_or_, __LINE__), lhs, expr)

#define LARR_ASSIGN_OR_RETURN_(result, lhs, expr) \
  auto result = (expr);                           \
  if (!result.ok()) return result.status();       \
  lhs = *std::move(result)

#define LARR_CONCAT_(a, b) LARR_CONCAT_INNER_(a, b)
#define LARR_CONCAT_INNER_(a, b) a##b
