// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_words.h"

#include <spdlog/spdlog.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/bag_of_words.h"
#include "common/llm/linear_start.h"
#include "common/llm/process_group.h"
#include "common/tensors/torch_status.h"
#include "services/stage/contrast_start.h"
#include "services/stage/llm_stage.h"

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

// Numbers of the slots that texts end in.
std::vector<int32_t> SlotsOfTexts(const std::vector<std::string>& texts) {
  std::map<std::string, int32_t> known;
  std::vector<int32_t> slots;
  for (const std::string& text : texts) {
    const size_t end = text.rfind("</");
    const auto next = static_cast<int32_t>(known.size());
    const std::string token =
        end == std::string::npos ? std::string() : text.substr(end);
    slots.push_back(known.emplace(token, next).first->second);
  }
  return slots;
}

// States of texts in their own principal axes, as many as a language model's
// states may have: a fit to a few thousand texts among all columns finds in
// rare words what is no more than chance.
class WordStates {
 public:
  explicit WordStates(const BagOfWords& words) : words_(words) {}

  TextStates Read(const std::vector<std::string>& texts) {
    const torch::Tensor states = words_.States(texts);
    const auto slots = SlotsOfTexts(texts);
    const torch::Tensor used = states.ne(0).any(0).nonzero().squeeze(1);
    const torch::Tensor axes =
        FitPrincipalComponents(states.index_select(1, used), slots);
    const int64_t count = std::min(kAxes, axes.size(0));
    axes_ = torch::zeros({count, BagOfWords::kColumns}, torch::kFloat32);
    axes_.index_copy_(1, used, axes.narrow(0, 0, count));
    return {states.mm(axes_.t()), slots};
  }

  // float32 [axes, columns]; REQUIRES: it has read texts.
  const torch::Tensor& axes() const { return axes_; }

 private:
  static constexpr int64_t kAxes = 1024;

  const BagOfWords& words_;
  torch::Tensor axes_;
};

// float32 [embedding_dim, columns]
absl::StatusOr<torch::Tensor> Projection(const StageContext& context,
                                         const ContrastConfig& config,
                                         const ContrastSampler& sampler,
                                         const BagOfWords& words) {
  WordStates states(words);
  LARR_ASSIGN_OR_RETURN(
      const torch::Tensor coordinates,
      ContrastStart({config, context.config.spec().seed(), {}, {}}, sampler, 0,
                    [&](const std::vector<std::string>& texts) {
                      return absl::StatusOr<TextStates>(states.Read(texts));
                    }));
  if (coordinates.size(0) == 0) {
    return absl::InvalidArgumentError(
        "`contrast.start` is PAIRS, but there is no pair to fit a bag of words "
        "to: set one of `contrast.user_user_weight`, `poi_poi_weight` and "
        "`user_poi_weight` for a kind of pair that the corpus has, or `start` "
        "to PRINCIPAL_COMPONENTS");
  }
  return torch::eye(kEmbeddingDim, coordinates.size(0), torch::kFloat32)
      .mm(coordinates)
      .mm(states.axes());
}

absl::Status LearnAndWrite(const StageContext& context,
                           const ContrastConfig& config,
                           const config::v1::DatasetSpec& dataset,
                           ContrastData data) {
  const torch::NoGradGuard no_grad;
  LARR_ASSIGN_OR_RETURN(const auto digests, InputDigests(context, {"corpus"}));
  const auto texts = DistinctTexts(data);
  const auto text_count = texts.size();
  const BagOfWords words = BagOfWords::Learn(texts);
  spdlog::info("weighed words texts={} columns={}", text_count,
               BagOfWords::kColumns);
  LARR_ASSIGN_OR_RETURN(
      const auto sampler,
      ContrastSampler::Create(dataset, config, std::move(data),
                              context.config.spec().seed()));
  EmbedderHead head;
  LARR_ASSIGN_OR_RETURN(head.projection,
                        Projection(context, config, sampler, words));
  const auto slots = SlotsOf(dataset);
  head.config.mutable_slots()->Add(slots.begin(), slots.end());
  head.config.set_max_tokens(config.max_tokens());
  LARR_ASSIGN_OR_RETURN(auto writer,
                        ArtifactWriter::Create(context.config.output()));
  LARR_RETURN_IF_ERROR(WriteBagOfWords(writer.path(), words, head));
  const nlohmann::ordered_json report = {{"steps", 0}, {"texts", text_count}};
  LARR_RETURN_IF_ERROR(WriteFileAtomically(writer.path() / "training.json",
                                           report.dump(1) + "\n"));
  LARR_ASSIGN_OR_RETURN(const auto embedder,
                        BagOfWordsEmbedder::Open(writer.path()));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind("checkpoint");
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
  if (context.ranks->rank() == 0) {
    LARR_RETURN_IF_ERROR(GuardTorch("weighing words", [&] {
      return LearnAndWrite(context, config, dataset, std::move(data));
    }));
  }
  return context.ranks->Barrier();
}

}  // namespace larr::stage
