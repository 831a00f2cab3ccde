// SPDX-License-Identifier: Apache-2.0
//
// A P5 among the models of ctr_fixture.h, on the tiny language model of
// tests/golden.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/config/text_proto.h"
#include "tests/services/stage/ctr_fixture.h"

namespace larr::testing {

inline std::filesystem::path TinyLlama() {
  const char* source = std::getenv("LARR_SOURCE_DIR");
  return std::filesystem::path(source != nullptr ? source : ".") /
         "tests/golden/tiny_llama";
}

// The models `ple` and `p5`; the stage is told of the latter.
inline config::v1::StageConfig P5Stage(const CtrFixture& fixture,
                                       config::v1::StageConfig::Stage stage) {
  auto config = fixture.Config(stage);
  auto& spec = *config.mutable_spec();
  spec.set_evaluate_only(true);
  spec.set_base_model(TinyLlama());
  *spec.mutable_align(1) = ParseTextProto<config::v1::AlignConfig>(R"pb(
                             name: "p5"
                             architecture { kind: P5 }
                             batch_size: 16
                             epochs: 3
                             shuffle_rows: 40
                             checkpoint_steps: 5
                             p5 {
                               max_tokens: 256
                               tokens_per_step: 1600
                               precision: BF16
                               optimizer {
                                 learning_rate: 0.002
                                 new_parameter_learning_rate: 0.01
                                 warmup_steps: 3
                                 clip_norm: 1
                               }
                             })pb")
                               .value();
  config.set_align_name("p5");
  return config;
}

}  // namespace larr::testing
