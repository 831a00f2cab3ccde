// SPDX-License-Identifier: Apache-2.0
#include "tests/services/scoring/scoring_artifacts.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <limits>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_io.h"
#include "common/ctr/score_distribution.h"

namespace larr::testing {

std::filesystem::path MakeModel(const ScoringWorld& world,
                                const std::filesystem::path& dir,
                                const std::string& name,
                                const ModelOptions& options) {
  const auto description = world.Description(options);
  const auto model = NewCtrModel(description, options.seed);
  REQUIRE(model.ok());
  if (options.no_numbers) {
    const torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : NamedTensors(**model))
      if (name.ends_with("_logit_bias"))
        tensor.fill_(std::numeric_limits<float>::quiet_NaN());
  }
  auto writer = ArtifactWriter::Create(dir / name);
  REQUIRE(writer.ok());
  REQUIRE(SaveCtrModel(writer->path(), description, **model).ok());
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(options.kind);
  manifest.set_embedder_fingerprint(description.embedder_fingerprint());
  REQUIRE(writer->Finish(manifest).ok());
  return dir / name;
}

std::filesystem::path WithScores(const std::filesystem::path& model,
                                 const std::filesystem::path& dir,
                                 const std::string& name,
                                 const config::v1::ScoreDistribution& scores) {
  auto writer = ArtifactWriter::Create(dir / name);
  REQUIRE(writer.ok());
  for (const char* file : {kCtrWeightsFile, kCtrDescriptionFile}) {
    std::filesystem::copy_file(model / file, writer->path() / file);
  }
  REQUIRE(WriteFileAtomically(writer->path() / kScoresFile, ToTextProto(scores))
              .ok());
  REQUIRE(writer->Finish(*ReadArtifact(model)).ok());
  return dir / name;
}

const Artifacts& SharedArtifacts() {
  static const Artifacts artifacts;
  return artifacts;
}

}  // namespace larr::testing
