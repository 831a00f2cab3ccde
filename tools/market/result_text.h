// SPDX-License-Identifier: Apache-2.0
//
// The result of the two tests as tables for a terminal.
#pragma once

#include <string>

#include "tools/market/market.h"

namespace larr::market {

// `result`: of MakeResult().
std::string ResultText(const Json& result);

}  // namespace larr::market
