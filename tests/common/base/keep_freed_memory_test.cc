// SPDX-License-Identifier: Apache-2.0
#include "common/base/keep_freed_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <vector>

// Sanitizers bring a heap of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(_GLIBCXX_TSAN)

namespace larr {
namespace {

// Pages that taking, writing and freeing 100 MB faulted in.
long Faults() {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  std::vector<char> memory(size_t{100} << 20, 'x');
  getrusage(RUSAGE_SELF, &after);
  REQUIRE(std::count(memory.begin(), memory.end(), 'x') == 100 << 20);
  return after.ru_minflt - before.ru_minflt;
}

TEST_CASE("memory that was freed is there at once") {
  KeepFreedMemory();
  Faults();
  CHECK(Faults() < 100);
}

}  // namespace
}  // namespace larr

#endif
