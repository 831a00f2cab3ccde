// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/parallel_for.h"

#include <ATen/Parallel.h>

namespace larr {

void ParallelFor(int64_t count, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& body) {
  at::parallel_for(0, count, grain, body);
}

}  // namespace larr
