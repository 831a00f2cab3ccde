// SPDX-License-Identifier: Apache-2.0
//
// An embedder of a few kilobytes: the tiny Llama of tests/golden with slots
// and a random projection. Its vectors mean nothing, but cost what they cost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace larr::testing {

// Writes a checkpoint artifact. `seed`: other projections, other embedders.
void WriteTinyEmbedder(const std::filesystem::path& folder,
                       const std::vector<std::string>& slots,
                       uint64_t seed = 1);

}  // namespace larr::testing
