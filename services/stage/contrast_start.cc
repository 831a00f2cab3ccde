// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_start.h"

#include <ATen/CPUGeneratorImpl.h>
#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <span>

#include "common/base/status_macros.h"
#include "common/llm/checkpoint.h"
#include "common/llm/linear_start.h"
#include "common/llm/text_chunks.h"
#include "common/tensors/safetensors.h"

namespace larr::stage {
namespace {

// Together a minute of SmolLM2 on two cores.
constexpr size_t kSlotTexts = 3072;
constexpr size_t kComposedTexts = 1024;
constexpr size_t kBatchTexts = 128;

// Texts as training composes them, of several slots.
std::vector<std::string> ComposedTexts(const ContrastSampler& sampler) {
  std::vector<std::string> texts;
  for (int64_t step = -1; texts.size() < kComposedTexts; --step) {
    for (const PairKind kind : kPairKinds) {
      if (!sampler.Has(kind)) continue;
      const PairBatch pairs = sampler.Batch(kind, step);
      texts.insert(texts.end(), pairs.a.begin(), pairs.a.end());
      texts.insert(texts.end(), pairs.b.begin(), pairs.b.end());
    }
    if (texts.empty()) break;
  }
  return texts;
}

absl::StatusOr<TextStates> LastStatesOf(
    const std::vector<std::string>& texts, const Tokenizer& tokenizer,
    const Decoder& decoder, const config::v1::ContrastConfig& config,
    ProgressWriter& progress) {
  const torch::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  TextStates states;
  std::vector<torch::Tensor> parts;
  int64_t tokens = 0;
  for (size_t from = 0; from < texts.size(); from += kBatchTexts) {
    const size_t to = std::min(from + kBatchTexts, texts.size());
    LARR_ASSIGN_OR_RETURN(
        auto ids, tokenizer.Encode(std::span(texts).subspan(from, to - from)));
    for (TokenIds& text : ids) {
      CutTokens(config.max_tokens(), text);
      states.slot.push_back(text.back());
      tokens += static_cast<int64_t>(text.size());
    }
    parts.push_back(LastStates(ids, decoder, PoolingOf(config)));
    const std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - start;
    progress.Report(0, config.steps(), std::numeric_limits<double>::quiet_NaN(),
                    static_cast<double>(tokens) / seconds.count(), "tokens/s");
  }
  states.rows = torch::cat(parts);
  return states;
}

// Pairs of the kinds that have a weight.
std::vector<SlotPairs> WeighedPairs(const config::v1::ContrastConfig& config,
                                    const SlotPairSample& sample) {
  std::vector<SlotPairs> kinds;
  for (size_t k = 0; k < kPairKinds.size(); ++k) {
    SlotPairs kind{.weight = WeightOf(config, kPairKinds[k])};
    if (kind.weight <= 0 || sample.pairs[k].empty()) continue;
    if (kPairKinds[k] != PairKind::kUserUser)
      kind.within_groups = config.same_value_fraction();
    for (const auto& [a, b, same_value] : sample.pairs[k])
      kind.pairs.push_back({a, b, same_value});
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

absl::StatusOr<torch::Tensor> Fit(const ContrastStartOptions& options,
                                  const ContrastSampler& sampler,
                                  int64_t hidden, const ReadStates& read) {
  SlotPairSample sample = sampler.DrawSlotPairs(kSlotTexts);
  const bool components = options.config.start() ==
                          config::v1::ContrastConfig::PRINCIPAL_COMPONENTS;
  const auto kinds = WeighedPairs(options.config, sample);
  if (components && sample.texts.empty()) {
    return absl::InvalidArgumentError(
        "`contrast.start` is PRINCIPAL_COMPONENTS, but the corpus has no texts "
        "on both sides of a pair; give the dataset `keywords` of two groups");
  }
  if (!components && (kinds.empty() || options.config.pairs_per_step() == 0)) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(options.seed);
    return torch::randn({hidden, hidden}, generator, torch::kFloat32) /
           std::sqrt(static_cast<double>(hidden));
  }
  // What stands before a slot shows in its state, too: composed texts belong
  // to the variance that pairs are seen against.
  const size_t slots = sample.texts.size();
  const auto composed = ComposedTexts(sampler);
  sample.texts.insert(sample.texts.end(), composed.begin(), composed.end());
  LARR_ASSIGN_OR_RETURN(TextStates states, read(sample.texts));
  for (size_t i = slots; i < states.slot.size(); ++i)
    states.slot[i] = -1 - states.slot[i];  // groups of their own
  spdlog::info(
      "fits the projection's start of={} texts={} users={} pois={} orders={}",
      components ? "components" : "pairs", sample.texts.size(),
      sample.pairs[0].size(), sample.pairs[1].size(), sample.pairs[2].size());
  return components ? FitPrincipalComponents(states.rows, states.slot)
                    : FitLinearStart(states.rows, states.slot, kinds);
}

}  // namespace

ReadStates StatesOf(const Tokenizer& tokenizer, const Decoder& decoder,
                    const config::v1::ContrastConfig& config,
                    ProgressWriter& progress) {
  return [&](const std::vector<std::string>& texts) {
    return LastStatesOf(texts, tokenizer, decoder, config, progress);
  };
}

double WeightOf(const config::v1::ContrastConfig& config, PairKind kind) {
  switch (kind) {
    case PairKind::kUserUser:
      return config.user_user_weight();
    case PairKind::kPoiPoi:
      return config.poi_poi_weight();
    default:
      return config.user_poi_weight();
  }
}

absl::StatusOr<torch::Tensor> ContrastStart(const ContrastStartOptions& options,
                                            const ContrastSampler& sampler,
                                            int64_t hidden,
                                            const ReadStates& read) {
  if (std::filesystem::exists(options.file)) {
    LARR_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(options.file));
    const auto identity = file.metadata().find("identity");
    if (identity != file.metadata().end() &&
        identity->second == options.identity) {
      return file.View("coordinates");
    }
  }
  LARR_ASSIGN_OR_RETURN(torch::Tensor coordinates,
                        Fit(options, sampler, hidden, read));
  if (options.file.empty()) return coordinates;
  LARR_RETURN_IF_ERROR(WriteSafetensors(options.file,
                                        {{"coordinates", coordinates}},
                                        {{"identity", options.identity}}));
  return coordinates;
}

}  // namespace larr::stage
