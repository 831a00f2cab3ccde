// SPDX-License-Identifier: Apache-2.0
#include "common/config/stage_inputs.h"

#include <algorithm>
#include <set>

#include "larr/config/v1/model.pb.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::CtrArchitecture;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using Roles = std::vector<std::string>;

bool ReadsTexts(const AlignConfig& align) {
  return align.architecture().kind() == CtrArchitecture::LARR;
}

Roles EmbedInputs(const TrainingSpec& spec) {
  // Vectors that follow from the texts alone, or that others made.
  if (spec.encoder() == config::v1::RANDOM ||
      !spec.embed().vectors_file().empty())
    return {};
  return {"contrast"};
}

Roles AlignInputs(const TrainingSpec& spec, const std::string& name) {
  const AlignConfig* align = FindAlign(spec, name);
  if (align == nullptr || !ReadsTexts(*align)) return {};
  return {"embed"};
}

Roles EvaluateInputs(const TrainingSpec& spec) {
  Roles roles;
  for (const AlignConfig& align : spec.align())
    roles.push_back(AlignRole(align.name()));
  // The gate wants metrics of the snapshot that it publishes.
  if (!spec.evaluate_only() ||
      std::any_of(spec.align().begin(), spec.align().end(), ReadsTexts))
    roles.emplace_back("embed");
  return roles;
}

Roles PublishInputs(const TrainingSpec& spec) {
  if (spec.align().empty()) return {"embed", "evaluate"};
  return {AlignRole(spec.align().rbegin()->name()), "embed", "evaluate"};
}

// All that there can be.
std::vector<NeededStage> AllStages(const TrainingSpec& spec) {
  std::vector<NeededStage> stages;
  if (spec.snapshot().empty())
    stages = {{"corpus", StageConfig::CORPUS},
              {"pretrain", StageConfig::PRETRAIN},
              {"contrast", StageConfig::CONTRAST},
              {"embed", StageConfig::EMBED}};
  for (const AlignConfig& align : spec.align())
    stages.push_back({AlignRole(align.name()), StageConfig::ALIGN});
  stages.push_back({"evaluate", StageConfig::EVALUATE});
  if (!spec.evaluate_only())
    stages.push_back({"publish", StageConfig::PUBLISH});
  return stages;
}

}  // namespace

std::string AlignRole(const std::string& name) { return "align/" + name; }

const AlignConfig* FindAlign(const TrainingSpec& spec,
                             const std::string& name) {
  const auto found = std::find_if(
      spec.align().begin(), spec.align().end(),
      [&](const AlignConfig& align) { return align.name() == name; });
  return found == spec.align().end() ? nullptr : &*found;
}

Roles StageInputs(const TrainingSpec& spec, StageConfig::Stage stage,
                  const std::string& align_name) {
  switch (stage) {
    case StageConfig::PRETRAIN:
      return {"corpus"};
    case StageConfig::CONTRAST:
      if (spec.encoder() == config::v1::BAG_OF_WORDS) return {"corpus"};
      return {"corpus", "pretrain"};
    case StageConfig::EMBED:
      return EmbedInputs(spec);
    case StageConfig::ALIGN:
      return AlignInputs(spec, align_name);
    case StageConfig::EVALUATE:
      return EvaluateInputs(spec);
    case StageConfig::PUBLISH:
      return PublishInputs(spec);
    default:
      return {};
  }
}

std::vector<NeededStage> NeededStages(const TrainingSpec& spec) {
  std::vector<NeededStage> stages = AllStages(spec);
  std::set<std::string> needed = {stages.back().id};
  // Backwards, so that whoever reads a stage's artifact was asked before it.
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    if (!needed.contains(stage->id)) continue;
    const std::string name = stage->id.substr(stage->id.find('/') + 1);
    for (const std::string& role : StageInputs(spec, stage->stage, name))
      needed.insert(role);
  }
  std::erase_if(stages, [&](const NeededStage& stage) {
    return !needed.contains(stage.id);
  });
  return stages;
}

bool NeedsStage(const TrainingSpec& spec, StageConfig::Stage stage) {
  const auto stages = NeededStages(spec);
  return std::any_of(
      stages.begin(), stages.end(),
      [&](const NeededStage& needed) { return needed.stage == stage; });
}

bool NeedsBaseModel(const TrainingSpec& spec) {
  return NeedsStage(spec, StageConfig::PRETRAIN) ||
         std::any_of(spec.align().begin(), spec.align().end(),
                     [](const AlignConfig& align) {
                       return align.architecture().kind() ==
                              CtrArchitecture::P5;
                     });
}

}  // namespace larr
