// SPDX-License-Identifier: Apache-2.0
//
// How urgent the work of the calling thread is, to the kernel. Threads that it
// starts are like it.
//
// Threads: safe; each call is about its own thread.
#pragma once

namespace larr {

// `levels` nice levels below what it is, or as low as there is.
void RunNicer(int levels);

// Only where no other thread wants to, and stopped at once when one does (the
// scheduler's idle class). The thread may stand still for long: it holds no
// lock that others wait for, or only for moments.
void RunWhenIdle();

}  // namespace larr
