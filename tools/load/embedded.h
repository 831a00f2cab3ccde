// SPDX-License-Identifier: Apache-2.0
//
// The file of this folder that the program carries inside itself.
#pragma once

#include <string_view>

namespace larr::load {

extern const std::string_view kReportScript;  // report.js

}  // namespace larr::load
