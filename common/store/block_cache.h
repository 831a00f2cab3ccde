// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace larr {

// Which of the process's caches has a snapshot's blocks. A reader on a thread
// that may be held up, with one of a cache's locks in its hands, uses the one
// aside: so it holds up none of the others.
enum class BlockCache { kMain, kAside };

}  // namespace larr
