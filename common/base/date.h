// SPDX-License-Identifier: Apache-2.0
//
// Days as settings and folder names have them: `2025-04-11`. They sort as text.
//
// Threads: safe.
#pragma once

#include <string_view>

namespace larr {

// True for a day of the calendar written `YYYY-MM-DD`.
bool IsDate(std::string_view text);

}  // namespace larr
