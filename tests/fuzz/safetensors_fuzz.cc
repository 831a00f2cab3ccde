// SPDX-License-Identifier: Apache-2.0
//
// Input: a safetensors file. Holds: what was accepted lies within the file and
// has the bytes that its shape says.
#include <cstdint>

#include "common/tensors/safetensors_header.h"
#include "tests/fuzz/fuzz_target.h"

using larr::testing::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto header =
      larr::ParseSafetensorsHeader(larr::testing::ViewOf(data, size), "file");
  if (!header.ok()) return 0;
  size_t bytes = 0;
  for (const auto& [name, entry] : header->tensors) {
    Require(entry.begin <= entry.end && entry.end <= size, "within the file");
    size_t expected = SizeOf(entry.type);
    for (const int64_t extent : entry.shape) {
      Require(extent >= 0, "no negative size");
      expected *= static_cast<size_t>(extent);
    }
    Require(entry.end - entry.begin == expected, "the bytes of the shape");
    bytes += expected;
  }
  Require(bytes < size, "tensors do not share bytes");
  return 0;
}
