// SPDX-License-Identifier: Apache-2.0
//
// The files of this folder that the program carries inside itself.
#pragma once

#include <string_view>

namespace larr::demo {

extern const std::string_view kDemoTraining;  // training_demo.textproto
extern const std::string_view kTinyTraining;  // training_tiny.textproto
extern const std::string_view kReportScript;  // report.js

}  // namespace larr::demo
