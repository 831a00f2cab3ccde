// SPDX-License-Identifier: Apache-2.0
//
// The page's template, which the program carries inside.
#pragma once

#include <string_view>

namespace larr::experiment {

extern const std::string_view kReportHtml;  // `__REPORT__` stands for the JSON

}  // namespace larr::experiment
