// SPDX-License-Identifier: Apache-2.0
#include "common/config/stage_inputs.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using config::v1::StageConfig;
using config::v1::TrainingSpec;

TrainingSpec SpecOf(const std::vector<CtrArchitecture::Kind>& kinds) {
  TrainingSpec spec;
  for (const auto kind : kinds) {
    auto& align = *spec.add_align();
    align.set_name("m" + std::to_string(spec.align_size()));
    align.mutable_architecture()->set_kind(kind);
  }
  return spec;
}

std::string IdsOf(const TrainingSpec& spec) {
  std::string ids;
  for (const NeededStage& stage : NeededStages(spec)) ids += stage.id + " ";
  return ids;
}

TEST_CASE("A run has the stages that its last one needs", "[config]") {
  const auto only = [](TrainingSpec& spec) { spec.set_evaluate_only(true); };
  const auto bag = [](TrainingSpec& spec) {
    spec.set_evaluate_only(true);
    spec.set_encoder(config::v1::BAG_OF_WORDS);
  };
  const auto random = [](TrainingSpec& spec) {
    spec.set_evaluate_only(true);
    spec.set_encoder(config::v1::RANDOM);
  };
  const auto file = [](TrainingSpec& spec) {
    spec.set_evaluate_only(true);
    spec.mutable_embed()->set_vectors_file("/vectors.parquet");
  };
  const auto snapshot = [](TrainingSpec& spec) { spec.set_snapshot("/s"); };
  const auto nothing = [](TrainingSpec&) {};
  const struct {
    std::vector<CtrArchitecture::Kind> kinds;
    std::function<void(TrainingSpec&)> change;
    const char* ids;
  } cases[] = {
      // What is published is served with a snapshot, whatever the model reads.
      {{CtrArchitecture::PLE},
       nothing,
       "corpus pretrain contrast embed align/m1 evaluate publish "},
      {{CtrArchitecture::PLE, CtrArchitecture::LARR},
       nothing,
       "corpus pretrain contrast embed align/m1 align/m2 evaluate publish "},
      {{CtrArchitecture::PLE, CtrArchitecture::LARR},
       snapshot,
       "align/m1 align/m2 evaluate publish "},
      {{CtrArchitecture::PLE, CtrArchitecture::LARR},
       only,
       "corpus pretrain contrast embed align/m1 align/m2 evaluate "},
      {{CtrArchitecture::PLE, CtrArchitecture::WIDE_DEEP,
        CtrArchitecture::DEEP_FM, CtrArchitecture::LINEAR},
       only,
       "align/m1 align/m2 align/m3 align/m4 evaluate "},
      {{CtrArchitecture::PLE, CtrArchitecture::P5},
       only,
       "align/m1 align/m2 evaluate "},
      {{CtrArchitecture::LARR},
       bag,
       "corpus contrast embed align/m1 evaluate "},
      {{CtrArchitecture::LARR}, random, "embed align/m1 evaluate "},
      {{CtrArchitecture::LARR}, file, "embed align/m1 evaluate "},
      {{CtrArchitecture::PLE}, file, "align/m1 evaluate "},
      {{CtrArchitecture::LARR, CtrArchitecture::P5},
       random,
       "embed align/m1 align/m2 evaluate "},
  };
  for (const auto& c : cases) {
    TrainingSpec spec = SpecOf(c.kinds);
    c.change(spec);
    CHECK(IdsOf(spec) == c.ids);
  }
}

TEST_CASE("Needed is what the stages of a run are", "[config]") {
  TrainingSpec spec = SpecOf({CtrArchitecture::PLE});
  CHECK(NeedsStage(spec, StageConfig::PRETRAIN));
  CHECK(NeedsStage(spec, StageConfig::PUBLISH));
  spec.set_evaluate_only(true);
  CHECK_FALSE(NeedsStage(spec, StageConfig::PRETRAIN));
  CHECK_FALSE(NeedsStage(spec, StageConfig::PUBLISH));
  CHECK(NeedsStage(spec, StageConfig::ALIGN));
}

TEST_CASE("The base model is read by stage 1 and by a P5", "[config]") {
  TrainingSpec spec = SpecOf({CtrArchitecture::PLE});
  CHECK(NeedsBaseModel(spec));
  spec.set_evaluate_only(true);
  CHECK_FALSE(NeedsBaseModel(spec));
  spec.mutable_align(0)->mutable_architecture()->set_kind(CtrArchitecture::P5);
  CHECK(NeedsBaseModel(spec));
  CHECK_FALSE(NeedsStage(spec, StageConfig::PRETRAIN));
}

TEST_CASE("A model is found by its name", "[config]") {
  const TrainingSpec spec =
      SpecOf({CtrArchitecture::LARR, CtrArchitecture::PLE});
  CHECK(FindAlign(spec, "m2") == &spec.align(1));
  CHECK(FindAlign(spec, "m3") == nullptr);
  CHECK(AlignRole("m2") == "align/m2");
}

TEST_CASE("A stage reads nothing but stages before it", "[config]") {
  TrainingSpec spec = SpecOf(
      {CtrArchitecture::LARR, CtrArchitecture::P5, CtrArchitecture::PLE});
  CHECK(StageInputs(spec, StageConfig::ALIGN, "m1") ==
        std::vector<std::string>{"embed"});
  CHECK(StageInputs(spec, StageConfig::ALIGN, "m2").empty());
  CHECK(StageInputs(spec, StageConfig::ALIGN, "m3").empty());
  CHECK(StageInputs(spec, StageConfig::ALIGN, "nobody").empty());
  CHECK(StageInputs(spec, StageConfig::CORPUS).empty());
  CHECK(StageInputs(spec, StageConfig::PUBLISH) ==
        std::vector<std::string>{"align/m3", "embed", "evaluate"});
  CHECK(StageInputs(spec, StageConfig::EVALUATE) ==
        std::vector<std::string>{"align/m1", "align/m2", "align/m3", "embed"});
}

}  // namespace
}  // namespace larr
