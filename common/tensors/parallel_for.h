// SPDX-License-Identifier: Apache-2.0
//
// Work shared by LibTorch's threads. at::parallel_for is a template that runs
// on one thread wherever it is compiled without OpenMP, as our sources are;
// this is the one place that is compiled with it.
//
// Threads: as many as at::get_num_threads says. No gradient is recorded there.
#pragma once

#include <cstdint>
#include <functional>

namespace larr {

// Calls `body` for ranges that make up [0, count), each of at least `grain`
// unless it is the last, on several threads at once.
void ParallelFor(int64_t count, int64_t grain,
                 const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace larr
