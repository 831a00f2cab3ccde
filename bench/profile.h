// SPDX-License-Identifier: Apache-2.0
//
// Where the time of a stretch of work goes, by LibTorch's operators, the
// autograd nodes, and the scopes that our code marks by RECORD_USER_SCOPE.
//
// A scope is a group, and what runs inside it belongs to it: `attention`,
// `norm`, `silu`, `loss`, `optimizer`. So do the backward passes of our own
// nodes. Multiplications outside of a scope are `gemm`; the rest is `other`.
//
// Units:   seconds of the calling thread, which waits for the others.
// Threads: one profile at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace larr::bench {

struct OperatorTime {
  std::string group;
  std::string name;
  double seconds = 0;  // without the operators that it calls
  int64_t calls = 0;
};

struct Profile {
  double seconds = 0;                   // of the whole stretch
  std::vector<OperatorTime> operators;  // the slowest first
};

Profile ProfileOf(const std::function<void()>& work);

// Shares by group, then the slowest operators, as a table.
std::string ToTable(const Profile& profile);

}  // namespace larr::bench
