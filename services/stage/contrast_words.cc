// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_words.h"

#include <spdlog/spdlog.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/config/text_proto.h"
#include "common/llm/bag_of_words.h"
#include "common/llm/linear_start.h"
#include "common/llm/process_group.h"
#include "common/tensors/torch_status.h"
#include "services/stage/contrast_start.h"
#include "services/stage/contrast_training.h"
#include "services/stage/identity.h"
#include "services/stage/llm_stage.h"
#include "services/stage/text_model.h"

namespace larr::stage {
namespace {

using config::v1::ContrastConfig;

std::vector<std::string_view> DistinctTexts(const ContrastData& data) {
  std::set<std::string_view> texts;
  for (const auto* entities : {&data.users, &data.pois}) {
    for (const CorpusEntity& entity : *entities)
      texts.insert(entity.texts.begin(), entity.texts.end());
  }
  for (const CorpusPair& pair : data.pairs)
    texts.insert(pair.context.begin(), pair.context.end());
  texts.erase("");
  return {texts.begin(), texts.end()};
}

// The principal axes of words, float32 [axes, columns], as many as a language
// model's states may have: what is fitted to a few thousand texts among all
// columns finds in rare words what is no more than chance.
torch::Tensor AxesOf(const BagOfWords& words, const StartTexts& start) {
  constexpr int64_t kAxes = 1024;
  const torch::Tensor states = words.States(start.texts);
  const torch::Tensor used = states.ne(0).any(0).nonzero().squeeze(1);
  const torch::Tensor found =
      PrincipalAxes(states.index_select(1, used), start.slot);
  const int64_t count = std::min(kAxes, found.size(0));
  torch::Tensor axes = torch::zeros({count, BagOfWords::kColumns});
  axes.index_copy_(1, used, found.narrow(0, 0, count));
  return axes;
}

// Refers to its arguments.
TextModel WordModel(const BagOfWords& words, const torch::Tensor& axes) {
  const auto read = [](std::span<const std::string> texts)
      -> absl::StatusOr<std::vector<TokenIds>> {
    std::vector<TokenIds> columns;
    for (const std::string& text : texts)
      columns.push_back(BagOfWords::ColumnsOf(text));
    return columns;
  };
  const auto states = [&](std::span<const TokenIds> columns) {
    return words.States(columns).mm(axes.t());
  };
  return {axes.size(0), read, states};
}

absl::Status CheckTexts(const ContrastConfig& config,
                        const ContrastSampler& sampler,
                        const StartTexts& start) {
  bool enough = !start.texts.empty();
  if (config.start() == ContrastConfig::PAIRS) {
    enough =
        std::any_of(kPairKinds.begin(), kPairKinds.end(), [&](PairKind kind) {
          return WeightOf(config, kind) > 0 && sampler.Has(kind);
        });
  }
  if (enough) return absl::OkStatus();
  return Invalid(
      "`contrast.start` is {}, but the corpus has no {} to fit a bag of words "
      "to; give the dataset `keywords` of two groups, and of "
      "`contrast.user_user_weight`, `poi_poi_weight` and `user_poi_weight` set "
      "one for a kind of pair that the corpus has",
      ContrastConfig::Start_Name(config.start()),
      start.texts.empty() ? "texts on both sides of a pair" : "such pair");
}

absl::Status LearnAndWrite(StageContext& context, const ContrastConfig& config,
                           const config::v1::DatasetSpec& dataset,
                           ContrastData data) {
  LARR_ASSIGN_OR_RETURN(const auto digests, context.InputDigests());
  const auto texts = DistinctTexts(data);
  spdlog::info("weighs words texts={} columns={}", texts.size(),
               BagOfWords::kColumns);
  const BagOfWords words = BagOfWords::Learn(texts);
  LARR_ASSIGN_OR_RETURN(
      const auto sampler,
      ContrastSampler::Create(dataset, config, std::move(data),
                              context.config.spec().seed()));
  LARR_ASSIGN_OR_RETURN(const auto identity, IdentityOf(context));
  LARR_ASSIGN_OR_RETURN(
      const torch::Tensor axes,
      KeptIn(std::filesystem::path(context.config.work()) / "axes.safetensors",
             Sha256(identity.settings), [&]() -> absl::StatusOr<torch::Tensor> {
               const StartTexts start = StartTextsOf(sampler);
               LARR_RETURN_IF_ERROR(CheckTexts(config, sampler, start));
               return AxesOf(words, start);
             }));
  LARR_ASSIGN_OR_RETURN(const auto result,
                        TrainOnPairs(context, identity.settings, config,
                                     sampler, WordModel(words, axes), {}));
  EmbedderHead head;
  head.projection = result.projection.mm(axes);
  const auto slots = SlotsOf(dataset);
  head.config.mutable_slots()->Add(slots.begin(), slots.end());
  head.config.set_max_tokens(config.max_tokens());
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_RETURN_IF_ERROR(WriteBagOfWords(writer.path(), words, head));
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / kTrainingFile,
                                           result.report.dump(1) + "\n"));
  LARR_ASSIGN_OR_RETURN(const auto embedder,
                        BagOfWordsEmbedder::Open(writer.path()));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(kCheckpointKind);
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  manifest.set_embedder_fingerprint(embedder.fingerprint());
  return writer.Finish(std::move(manifest)).status();
}

}  // namespace

absl::Status RunWordContrast(StageContext& context,
                             const ContrastConfig& config,
                             const config::v1::DatasetSpec& dataset,
                             ContrastData data) {
  // A projection is no work for several.
  ProcessGroup alone;
  ProcessGroup* const all = std::exchange(context.ranks, &alone);
  const absl::Status status =
      all->rank() > 0 ? absl::OkStatus() : GuardTorch("training on words", [&] {
        return LearnAndWrite(context, config, dataset, std::move(data));
      });
  context.ranks = all;
  LARR_RETURN_IF_ERROR(status);
  return all->Barrier();
}

}  // namespace larr::stage
