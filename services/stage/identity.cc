// SPDX-License-Identifier: Apache-2.0
#include "services/stage/identity.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "common/base/artifact_folder.h"
#include "common/base/file_stamp.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_inputs.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/dataset/dataset_identity.h"

namespace larr::stage {
namespace {

using config::v1::DatasetSpec;
using config::v1::StageConfig;
using config::v1::TrainingSpec;

// PRETRAIN 2 and CONTRAST 4 are of two kinds where linear layers have a bias
// (Qwen2): earlier ones rounded twice, not once. That was not worth training
// all others anew.
int RevisionOf(StageConfig::Stage stage) {
  static const std::map<StageConfig::Stage, int> kRevisions = {
      {StageConfig::CORPUS, 1},   {StageConfig::PRETRAIN, 2},
      {StageConfig::CONTRAST, 4}, {StageConfig::EMBED, 1},
      {StageConfig::ALIGN, 3},    {StageConfig::EVALUATE, 2},
  };
  return kRevisions.at(stage);
}

absl::Status AddInputs(const StageContext& context, StageIdentity& identity) {
  const StageConfig& config = context.config;
  for (const std::string& role :
       StageInputs(config.spec(), config.stage(), config.align_name())) {
    LARR_ASSIGN_OR_RETURN(const auto folder, context.Input(role));
    LARR_ASSIGN_OR_RETURN(const auto manifest, ReadArtifact(folder));
    identity.settings += fmt::format("{} {}\n", role, manifest.digest());
  }
  return absl::OkStatus();
}

// The first day that the stage reads nothing of: a run may go on while a new
// day's partitions arrive. Empty: it looks at all that is there.
std::string Until(const DatasetSpec& spec, StageConfig::Stage stage) {
  const auto& dates = spec.split().dates();
  if (stage == StageConfig::ALIGN) return dates.test_begin();
  if (stage == StageConfig::EVALUATE) return dates.end();
  return "";
}

// Metrics alone look at slices: with another one nothing else is made anew.
absl::Status AddDataset(const StageContext& context, StageIdentity& identity) {
  const std::string& file = context.config.spec().dataset();
  const StageConfig::Stage stage = context.config.stage();
  LARR_ASSIGN_OR_RETURN(auto spec, LoadTextProto<DatasetSpec>(file));
  const std::string until = Until(spec, stage);
  LARR_ASSIGN_OR_RETURN(
      auto dataset,
      IdentifyDataset(std::move(spec),
                      std::filesystem::absolute(file).parent_path(), until));
  if (stage != StageConfig::EVALUATE) dataset.spec.clear_slices();
  identity.settings += ToTextProto(dataset.spec);
  identity.files += dataset.files;
  return absl::OkStatus();
}

// The default, written out or not.
std::string EncoderName(const TrainingSpec& spec) {
  return config::v1::TextEncoder_Name(spec.encoder() ==
                                              config::v1::LANGUAGE_MODEL
                                          ? config::v1::TEXT_ENCODER_UNSPECIFIED
                                          : spec.encoder());
}

absl::Status AddCorpus(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  identity.settings += fmt::format("seed {}\nsame value {}\n{}", spec.seed(),
                                   spec.contrast().same_value_column(),
                                   ToTextProto(spec.corpus()));
  return AddDataset(context, identity);
}

void AddBaseModel(const TrainingSpec& spec, StageIdentity& identity) {
  identity.settings += fmt::format("base {}\n", spec.base_model());
  identity.files += FolderStamp(spec.base_model());
}

absl::Status AddPretrain(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const auto config,
                        CompletePretrainConfig(spec.pretrain()));
  identity.settings +=
      fmt::format("seed {}\n{}", spec.seed(), ToTextProto(config));
  AddBaseModel(spec, identity);
  if (config.general_fraction() == 0) return absl::OkStatus();
  // Of another general corpus, a resumed run would read other documents.
  std::error_code error;  // A file that is gone is missed by who reads it.
  identity.settings +=
      fmt::format("general corpus of {} bytes\n",
                  std::filesystem::file_size(config.general_corpus(), error));
  identity.files += FileStamp(config.general_corpus());
  return absl::OkStatus();
}

// The manifest's fingerprint follows from the precision of EMBED, too.
absl::Status AddContrast(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const auto config,
                        CompleteContrastConfig(spec.contrast()));
  LARR_ASSIGN_OR_RETURN(const auto embed, CompleteEmbedConfig(spec.embed()));
  identity.settings += fmt::format(
      "seed {}\nencoder {}\nembed precision {}\n{}", spec.seed(),
      EncoderName(spec), config::v1::Precision_Name(embed.precision()),
      ToTextProto(config));
  return absl::OkStatus();
}

absl::Status AddEmbed(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const auto config, CompleteEmbedConfig(spec.embed()));
  identity.settings += fmt::format("seed {}\nencoder {}\n{}", spec.seed(),
                                   EncoderName(spec), ToTextProto(config));
  if (!config.vectors_file().empty())
    identity.files += FileStamp(config.vectors_file());
  return AddDataset(context, identity);
}

absl::Status AddAlign(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const auto config, CompleteAlignConfig(context.config));
  identity.settings +=
      fmt::format("seed {}\n{}", SeedOf(config, spec), ToTextProto(config));
  if (config.has_p5()) AddBaseModel(spec, identity);
  return AddDataset(context, identity);
}

// Which models, and in which order, the inputs say.
absl::Status AddEvaluate(const StageContext& context, StageIdentity& identity) {
  const TrainingSpec& spec = context.config.spec();
  const auto& config = spec.evaluate();
  identity.settings +=
      fmt::format("seed {}\n{}", SeedOf(config, spec), ToTextProto(config));
  return AddDataset(context, identity);
}

absl::Status AddOwn(const StageContext& context, StageIdentity& identity) {
  switch (context.config.stage()) {
    case StageConfig::CORPUS:
      return AddCorpus(context, identity);
    case StageConfig::PRETRAIN:
      return AddPretrain(context, identity);
    case StageConfig::CONTRAST:
      return AddContrast(context, identity);
    case StageConfig::EMBED:
      return AddEmbed(context, identity);
    case StageConfig::ALIGN:
      return AddAlign(context, identity);
    case StageConfig::EVALUATE:
      return AddEvaluate(context, identity);
    default:
      return Invalid("{} is a decision of its moment: it has no identity",
                     StageConfig::Stage_Name(context.config.stage()));
  }
}

}  // namespace

absl::StatusOr<StageIdentity> IdentityOf(const StageContext& context) {
  StageIdentity identity;
  LARR_RETURN_IF_ERROR(AddInputs(context, identity));
  LARR_RETURN_IF_ERROR(AddOwn(context, identity));
  const StageConfig::Stage stage = context.config.stage();
  identity.settings +=
      fmt::format("{} {}\n", StageConfig::Stage_Name(stage), RevisionOf(stage));
  return identity;
}

absl::StatusOr<std::string> ArtifactKey(const StageContext& context) {
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  const bool rounds = context.config.stage() != StageConfig::CORPUS;
  return Sha256(fmt::format("threads {}\n{}", rounds ? context.threads() : 0,
                            identity.all()));
}

}  // namespace larr::stage
