// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace larr {

// From here on memory that is freed stays with the process. A step of training
// frees as much as the next one takes; given back to the system, each page
// would be faulted in again, which costs a seventh of a recommender's training.
// Threads: call it before others run.
void KeepFreedMemory();

}  // namespace larr
