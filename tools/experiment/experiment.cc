// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/lower_case_name.h"
#include "common/base/status_macros.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/config/training_paths.h"
#include "common/config/training_settings.h"

namespace larr::experiment {
namespace {

using config::v1::CtrArchitecture;
using config::v1::ExperimentArm;
using config::v1::ExperimentSpec;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".textproto";
constexpr char kBase[] = "base_";
constexpr int kDefaultSeeds = 5;

// A recommender's name says what it is, not which arm it is of: equal settings
// are one shard, whatever experiments call it.
std::string ModelName(CtrArchitecture::Kind kind) {
  std::string name = absl::AsciiStrToLower(CtrArchitecture::Kind_Name(kind));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// What no stage of the run reads: a recommender without texts is the same under
// any language model.
void ClearUnread(TrainingSpec& spec) {
  const TrainingSpec all = spec;
  if (!NeedsBaseModel(all)) spec.clear_base_model();
  if (!NeedsStage(all, StageConfig::CORPUS)) spec.clear_corpus();
  if (!NeedsStage(all, StageConfig::PRETRAIN)) spec.clear_pretrain();
  if (!NeedsStage(all, StageConfig::CONTRAST)) spec.clear_contrast();
  if (!NeedsStage(all, StageConfig::EMBED)) {
    spec.clear_embed();
    spec.clear_encoder();
  }
}

absl::Status CheckArm(const ExperimentArm& arm) {
  if (!IsLowerCaseName(arm.name()))
    return Invalid(
        "an arm's `name` is `{}`: use lower-case letters, digits and "
        "`-`",
        arm.name());
  if (arm.seeds() < 0)
    return Invalid("arm `{}`: `seeds` is {}; it must be 0 or more", arm.name(),
                   arm.seeds());
  const TrainingSpec& training = arm.training();
  if (training.align_size() != 1)
    return Invalid("arm `{}` has {} of `align`; an arm is one recommender",
                   arm.name(), training.align_size());
  const auto& align = training.align(0);
  if (!align.name().empty() || align.seed() != 0 || training.evaluate_only())
    return Invalid(
        "arm `{}` sets `align.name`, `align.seed` or "
        "`evaluate_only`; leave them out: they are filled in",
        arm.name());
  if (align.architecture().kind() == CtrArchitecture::KIND_UNSPECIFIED)
    return Invalid("arm `{}`: `align.architecture.kind` is not set",
                   arm.name());
  return absl::OkStatus();
}

absl::Status CheckClaims(const ExperimentSpec& spec,
                         const std::set<std::string>& arms) {
  for (const auto& claim : spec.claims()) {
    for (const std::string& name : {claim.first(), claim.second()}) {
      if (!arms.contains(name))
        return Invalid("a claim names the arm `{}`; there is none of that name",
                       name);
    }
    if (claim.by() < 0)
      return Invalid("a claim's `by` is {}; it must be 0 or more", claim.by());
  }
  return absl::OkStatus();
}

absl::Status Check(const Experiment& experiment, const std::string& name) {
  const ExperimentSpec& spec = experiment.spec;
  if (spec.name() != name)
    return Invalid("`name` is `{}`; the file says `{}`", spec.name(), name);
  if (spec.title().empty() || spec.question().empty())
    return Invalid("`title` or `question` is not set");
  if (spec.arms_size() == 0) return Invalid("there are no `arms`");
  if (!(spec.seed_overlap() >= 0))
    return Invalid("`seed_overlap` is {}; it must be 0 or more",
                   spec.seed_overlap());
  if (experiment.base.align_size() != 1)
    return Invalid(
        "the base has {} of `align`; it must have one, which those "
        "of the arms are laid over",
        experiment.base.align_size());
  std::set<std::string> arms;
  for (const ExperimentArm& arm : spec.arms()) {
    LARR_RETURN_IF_ERROR(CheckArm(arm));
    if (!arms.insert(arm.name()).second)
      return Invalid("two arms are named `{}`", arm.name());
    TrainingSpec probe = experiment.base;
    for (const std::string& path : arm.cleared())
      LARR_RETURN_IF_ERROR(ClearField(path, probe));
    const absl::Status settings =
        CheckTrainingSettings(MakeShard(experiment, arm, 1).settings);
    if (!settings.ok())
      return Invalid("arm `{}`: {}", arm.name(),
                     std::string(settings.message()));
  }
  return CheckClaims(spec, arms);
}

}  // namespace

absl::StatusOr<Experiment> LoadExperiment(const fs::path& folder,
                                          const std::string& name,
                                          const std::string& size) {
  Experiment experiment;
  experiment.size = size;
  const fs::path file = folder / (name + kSuffix);
  const fs::path base = folder / (kBase + size + kSuffix);
  std::error_code error;
  if (!fs::exists(base, error))
    return absl::NotFoundError(
        fmt::format("there is no size `{}`: no {}", size, base.string()));
  if (!IsLowerCaseName(name) || !fs::exists(file, error))
    return absl::NotFoundError(
        fmt::format("there is no experiment `{}` in {}: see `larrctl "
                    "experiment list`",
                    name, folder.string()));
  LARR_RETURN_IF_ERROR(LoadTextProto(base, experiment.base));
  LARR_RETURN_IF_ERROR(LoadTextProto(file, experiment.spec));
  const absl::Status status = Check(experiment, name);
  if (!status.ok())
    return Invalid("{}: {}", file.string(), std::string(status.message()));
  return experiment;
}

absl::StatusOr<std::vector<std::string>> ExperimentNames(
    const fs::path& folder) {
  std::vector<std::string> names;
  const auto entries = ListFolder(folder).value_or(std::vector<fs::path>());
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename();
    if (name.ends_with(kSuffix) && !name.starts_with(kBase))
      names.push_back(entry.stem());
  }
  if (names.empty())
    return absl::NotFoundError(
        fmt::format("there are no experiments in {}: start in a checkout, or "
                    "name their folder with --experiments",
                    folder.string()));
  std::sort(names.begin(), names.end());
  return names;
}

int SeedsOf(const ExperimentSpec& spec, const ExperimentArm& arm, int most) {
  if (arm.seeds() > 0)
    return most > 0 ? std::min(most, arm.seeds()) : arm.seeds();
  if (most > 0) return most;
  return spec.seeds() > 0 ? spec.seeds() : kDefaultSeeds;
}

Shard MakeShard(const Experiment& experiment, const ExperimentArm& arm,
                int seed) {
  TrainingSpec settings = experiment.base;
  config::v1::AlignConfig align = settings.align(0);
  TrainingSpec over = arm.training();
  Overlay(over.align(0), align);
  over.clear_align();
  Overlay(over, settings);
  *settings.mutable_align(0) = std::move(align);
  for (const std::string& path : arm.cleared())
    (void)ClearField(path, settings);
  auto& model = *settings.mutable_align(0);
  if (model.architecture().kind() != CtrArchitecture::P5) model.clear_p5();
  model.set_name(ModelName(model.architecture().kind()));
  model.set_seed(static_cast<uint64_t>(seed));
  if (arm.encoder_per_seed() &&
      settings.seed() != static_cast<uint64_t>(seed)) {
    settings.mutable_evaluate()->set_seed(settings.seed());  // Equal draws.
    settings.set_seed(static_cast<uint64_t>(seed));
  }
  settings.set_evaluate_only(true);
  ClearUnread(settings);
  for (std::string* path : PathsOf(settings))
    *path = absl::StrReplaceAll(
        *path, {{"{seed}", std::to_string(seed)}, {"{size}", experiment.size}});
  Shard shard{arm.name(), seed, std::move(settings), ""};
  shard.text = ToTextProto(shard.settings);
  return shard;
}

std::vector<Shard> MakeShards(const Experiment& experiment, int most_seeds) {
  std::vector<Shard> shards;
  int most = 0;
  for (const auto& arm : experiment.spec.arms())
    most = std::max(most, SeedsOf(experiment.spec, arm, most_seeds));
  for (int seed = 1; seed <= most; ++seed) {
    for (const auto& arm : experiment.spec.arms()) {
      if (seed <= SeedsOf(experiment.spec, arm, most_seeds))
        shards.push_back(MakeShard(experiment, arm, seed));
    }
  }
  return shards;
}

std::string TitleOf(const ExperimentArm& arm) {
  return arm.title().empty() ? arm.name() : arm.title();
}

TrainingSpec Resolve(const TrainingSpec& settings, const fs::path& folder) {
  TrainingSpec spec = settings;
  MakePathsAbsolute(fs::absolute(folder), spec);
  return spec;
}

void Overlay(const Message& over, Message& base) {
  const auto& reflection = *over.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(over, &fields);
  const std::unique_ptr<Message> rest(over.New());
  rest->CopyFrom(over);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated()) {
      base.GetReflection()->ClearField(&base, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Overlay(reflection.GetMessage(over, field),
              *base.GetReflection()->MutableMessage(&base, field));
      reflection.ClearField(rest.get(), field);
    }
  }
  base.MergeFrom(*rest);
}

absl::Status ClearField(const std::string& path, Message& message) {
  Message* at = &message;
  const std::vector<std::string> parts = absl::StrSplit(path, '.');
  for (size_t i = 0; i < parts.size(); ++i) {
    const FieldDescriptor* field =
        at->GetDescriptor()->FindFieldByName(parts[i]);
    const bool last = i + 1 == parts.size();
    if (field == nullptr ||
        (!last && field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE))
      return Invalid("`cleared` names `{}`: no such field of a TrainingSpec",
                     path);
    const auto* reflection = at->GetReflection();
    if (last) {
      reflection->ClearField(at, field);
    } else if (!field->is_repeated()) {
      at = reflection->MutableMessage(at, field);
    } else if (reflection->FieldSize(*at, field) > 0) {
      at = reflection->MutableRepeatedMessage(at, field, 0);
    } else {
      return Invalid("`cleared` names `{}`: the list is empty", path);
    }
  }
  return absl::OkStatus();
}

}  // namespace larr::experiment
