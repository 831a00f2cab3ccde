// SPDX-License-Identifier: Apache-2.0
#include "tools/bfloat16/conversion.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"
#include "common/ctr/model_files.h"
#include "common/ctr/model_io.h"
#include "common/ctr/row_scorer.h"
#include "common/ctr/score_distribution.h"
#include "common/dataset/dataset_spec.h"
#include "common/store/snapshot.h"

namespace larr::bfloat16 {
namespace {

using config::v1::ArtifactManifest;
using config::v1::CtrModelDescription;

absl::Status CheckOptions(const ConversionOptions& options) {
  if (options.rows < 0)
    return Invalid(
        "--rows: {} is negative; give a number of rows, or 0 for "
        "all of them",
        options.rows);
  if (!(options.most_loss >= 0 && options.most_loss <= 1))
    return Invalid(
        "--most-loss: {} is no difference of AUCs; give one from 0 to 1",
        options.most_loss);
  if (std::filesystem::exists(options.output))
    return absl::AlreadyExistsError(fmt::format(
        "--output: {} is there already; give the name of a new folder",
        options.output.string()));
  return absl::OkStatus();
}

absl::Status CheckModel(const CtrModelDescription& description) {
  if (description.serve_in_bfloat16())
    return absl::InvalidArgumentError(
        "serve_in_bfloat16 is set already; give the model that it was made "
        "from");
  if (!CanSplit(description.architecture()))
    return Invalid(
        "architecture.readout is {}: such a model is served by the plain "
        "forward pass, which has no bfloat16; only AGG has, or a model without "
        "texts",
        config::v1::CtrArchitecture::Readout_Name(
            description.architecture().readout()));
  return absl::OkStatus();
}

// Null for a model without texts.
absl::StatusOr<std::unique_ptr<const Snapshot>> OpenSnapshot(
    const ConversionOptions& options, const CtrModelDescription& description) {
  if (description.text_dim() == 0) return nullptr;
  if (options.snapshot.empty())
    return absl::InvalidArgumentError(
        "not given, but the model reads texts; give the folder of the embed "
        "stage that it was trained with");
  LARR_RETURN_IF_ERROR(VerifyArtifact(options.snapshot).status());
  return Snapshot::Open(options.snapshot);
}

absl::Status Write(const ConversionOptions& options,
                   const ArtifactManifest& parent, LoadedCtrModel loaded,
                   const Comparison& comparison) {
  LARR_ASSIGN_OR_RETURN(auto writer, ArtifactWriter::Create(options.output));
  loaded.description.set_serve_in_bfloat16(true);
  LARR_RETURN_IF_ERROR(
      SaveCtrModel(writer.path(), loaded.description, *loaded.model));
  // The scores hardly change, so neither does what they are compared with.
  if (const auto scores = options.model / kScoresFile;
      std::filesystem::exists(scores)) {
    LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(scores));
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(writer.path() / kScoresFile, text));
  }
  nlohmann::ordered_json json = ComparisonJson(comparison);
  json["most_loss"] = options.most_loss;
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / "bfloat16.json",
                                           json.dump(2) + "\n"));
  ArtifactManifest manifest;
  manifest.set_kind(kCtrModelKind);
  manifest.set_config(parent.config());
  manifest.set_embedder_fingerprint(parent.embedder_fingerprint());
  (*manifest.mutable_parents())["model"] = parent.digest();
  return writer.Finish(std::move(manifest)).status();
}

}  // namespace

absl::Status Convert(const ConversionOptions& options, std::ostream& out,
                     const RowsProgress& progress) {
  LARR_RETURN_IF_ERROR(CheckOptions(options));
  // As a call is served.
  at::set_num_threads(1);
  const auto manifest = VerifyArtifact(options.model);
  if (!manifest.ok()) return Prefixed("--model", manifest.status());
  if (manifest->kind() != kCtrModelKind)
    return Invalid(
        "--model: {} is a `{}`, not a `{}`; give the folder that an align "
        "stage made",
        options.model.string(), manifest->kind(), kCtrModelKind);
  auto loaded = LoadCtrModel(options.model);
  if (!loaded.ok()) return Prefixed("--model", loaded.status());
  if (const auto status = CheckModel(loaded->description); !status.ok())
    return Prefixed("--model", status);
  const auto dataset = OpenDataset(options.dataset);
  if (!dataset.ok()) return Prefixed("--dataset", dataset.status());
  const auto snapshot = OpenSnapshot(options, loaded->description);
  if (!snapshot.ok()) return Prefixed("--snapshot", snapshot.status());
  LARR_ASSIGN_OR_RETURN(const Comparison comparison,
                        CompareWays(options.model, *dataset, snapshot->get(),
                                    options.part, options.rows, progress));
  out << ComparisonTable(comparison) << std::flush;
  LARR_RETURN_IF_ERROR(CheckLoss(comparison, options.most_loss));
  return Write(options, *manifest, *std::move(loaded), comparison);
}

}  // namespace larr::bfloat16
