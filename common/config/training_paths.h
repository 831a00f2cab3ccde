// SPDX-License-Identifier: Apache-2.0
//
// Which fields of a TrainingSpec are paths. Said here alone: who makes them
// absolute, and who asks what is there, look at the same.
//
// Threads:    safe.
// Errors:     none
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "larr/config/v1/training.pb.h"

namespace larr {

// Those that are set; they point into `spec`. The dataset is the first.
std::vector<std::string*> PathsOf(config::v1::TrainingSpec& spec);

// REQUIRES: `folder`, which they are relative to, is absolute
void MakePathsAbsolute(const std::filesystem::path& folder,
                       config::v1::TrainingSpec& spec);

}  // namespace larr
