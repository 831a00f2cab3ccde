// SPDX-License-Identifier: Apache-2.0
#include "tests/testing/tiny_embedder.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "common/base/artifact_folder.h"
#include "common/llm/checkpoint.h"

namespace larr::testing {

void WriteTinyEmbedder(const std::filesystem::path& folder,
                       const std::vector<std::string>& slots, uint64_t seed) {
  const auto tiny = std::filesystem::path(std::getenv("LARR_SOURCE_DIR")) /
                    "tests/golden/tiny_llama";
  auto checkpoint = ReadCheckpoint(tiny, torch::kFloat32);
  REQUIRE(checkpoint.ok());
  REQUIRE(AddSlots(slots, seed, *checkpoint).ok());
  torch::manual_seed(seed);
  EmbedderHead head;
  head.projection = torch::randn({128, checkpoint->config.hidden_size});
  for (const auto& slot : slots) head.config.add_slots(slot);
  head.config.set_max_tokens(64);
  auto writer = ArtifactWriter::Create(folder);
  REQUIRE(writer.ok());
  REQUIRE(WriteCheckpoint(writer->path(), *checkpoint, torch::kFloat32, &head)
              .ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("checkpoint");
  REQUIRE(writer->Finish(manifest).ok());
}

}  // namespace larr::testing
