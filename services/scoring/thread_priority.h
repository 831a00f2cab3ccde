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

// At the lowest nice level, and in the shortest slices: a thread that wakes up
// waits for the end of the slice of the one that runs, however nice that is.
// Goes on, slowly, where others never rest.
void RunInBackground();

// Only where no other thread wants to (the scheduler's idle class); else it may
// stand still for minutes. Without privileges there is no way back.
void RunWhenIdle();

}  // namespace larr
