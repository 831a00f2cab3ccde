// SPDX-License-Identifier: Apache-2.0
//
// The files of this folder that the program carries inside itself.
#pragma once

#include <string_view>

namespace larr::city {

extern const std::string_view kDishesCsv;
extern const std::string_view kCitiesCsv;
extern const std::string_view kDatasetTextProto;

}  // namespace larr::city
