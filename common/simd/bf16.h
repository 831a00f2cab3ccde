// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace larr::kernels {

// bfloat16 by its bits: the upper half of a float32.
struct Bf16 {
  uint16_t bits;
};

}  // namespace larr::kernels
