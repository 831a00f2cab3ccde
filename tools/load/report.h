// SPDX-License-Identifier: Apache-2.0
//
// The page of a report: report.html of this folder with the JSON in it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace larr::load {

// One page that needs nothing else, of what RunLoad writes as JSON.
std::string RenderReport(const nlohmann::json& report);

}  // namespace larr::load
