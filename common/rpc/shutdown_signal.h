// SPDX-License-Identifier: Apache-2.0
//
// SIGTERM and SIGINT as requests to stop in order. One that comes while a
// server still opens its files is kept until it serves, and then stops it,
// unless what takes long asks for it; a second one of the kind ends the process
// at once. Reads, writes and opens that a signal interrupts go on by themselves.
//
// Threads:    safe, once CatchShutdownSignals was called.
#pragma once

namespace larr {

// The first thing in the main of a server: a signal before it ends the process
// as if nothing had been started. Called again, it catches the next signal too.
void CatchShutdownSignals();

// Waits for a signal; returns at once if one has come.
// REQUIRES: CatchShutdownSignals was called.
void WaitForShutdownSignal();

// As if a signal came: for a server that cannot go on.
// REQUIRES: CatchShutdownSignals was called.
void RequestShutdown();

// Whether one has come. Cheap.
bool ShutdownSignalCame();

}  // namespace larr
