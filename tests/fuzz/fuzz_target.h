// SPDX-License-Identifier: Apache-2.0
//
// What every fuzz target defines (LLVM, "libFuzzer"), and what they check by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Runs the code under test on one input; whatever it is, it returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace larr::testing {

// Ends the program, as a sanitizer does, where `holds` is false.
inline void Require(bool holds, std::string_view what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()),
          what.data());
  abort();
}

inline std::string_view ViewOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace larr::testing
