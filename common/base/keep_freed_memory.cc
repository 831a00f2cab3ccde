// SPDX-License-Identifier: Apache-2.0
#include "common/base/keep_freed_memory.h"

#include <malloc.h>

namespace larr {

void KeepFreedMemory() {
  constexpr int kMost = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kMost);
  mallopt(M_TRIM_THRESHOLD, kMost);
}

}  // namespace larr
