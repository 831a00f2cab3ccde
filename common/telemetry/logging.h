// SPDX-License-Identifier: Apache-2.0
//
// Logs go to stderr through spdlog, one line an event, as `event key=value`.
#pragma once

#include <string_view>

namespace larr {

// Sets up the default logger of a program: time, level, `program`, message.
// The level is `info`, or what the environment's SPDLOG_LEVEL says.
void InitLogging(std::string_view program);

}  // namespace larr
