// SPDX-License-Identifier: Apache-2.0
#include "services/stage/contrast_start.h"

#include <ATen/CPUGeneratorImpl.h>
#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <utility>

#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/llm/linear_start.h"
#include "common/tensors/safetensors.h"

namespace larr::stage {
namespace {

// Together a minute of SmolLM2 on two cores.
constexpr size_t kSlotTexts = 3072;
constexpr size_t kComposedTexts = 1024;
constexpr size_t kBatchTexts = 128;

constexpr char kMatrix[] = "coordinates";

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

// float32 [texts, h]
absl::StatusOr<torch::Tensor> StatesOf(const std::vector<std::string>& texts,
                                       const TextModel& model, int64_t steps,
                                       ProgressWriter& progress) {
  const torch::NoGradGuard no_grad;
  const auto start = std::chrono::steady_clock::now();
  std::vector<torch::Tensor> parts;
  int64_t tokens = 0;
  for (size_t from = 0; from < texts.size(); from += kBatchTexts) {
    const size_t to = std::min(from + kBatchTexts, texts.size());
    LARR_ASSIGN_OR_RETURN(
        const auto ids, model.read(std::span(texts).subspan(from, to - from)));
    for (const TokenIds& text : ids)
      tokens += static_cast<int64_t>(text.size());
    parts.push_back(model.states(ids));
    const double seconds = SecondsSince(start);
    progress.Report(0, steps, std::numeric_limits<double>::quiet_NaN(),
                    static_cast<double>(tokens) / seconds, "tokens/s");
  }
  return torch::cat(parts);
}

// Pairs of the kinds that have a weight.
std::vector<SlotPairs> WeighedPairs(const config::v1::ContrastConfig& config,
                                    const StartTexts& start) {
  std::vector<SlotPairs> kinds;
  for (size_t k = 0; k < kPairKinds.size(); ++k) {
    SlotPairs kind{.weight = WeightOf(config, kPairKinds[k])};
    if (kind.weight <= 0 || start.pairs[k].empty()) continue;
    if (kPairKinds[k] != PairKind::kUserUser)
      kind.within_groups = config.same_value_fraction();
    for (const auto& [a, b, same_value] : start.pairs[k])
      kind.pairs.push_back({a, b, same_value});
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

absl::StatusOr<torch::Tensor> Fit(const ContrastStartOptions& options,
                                  const ContrastSampler& sampler,
                                  const TextModel& model,
                                  ProgressWriter& progress) {
  const StartTexts start = StartTextsOf(sampler);
  const bool components = options.config.start() ==
                          config::v1::ContrastConfig::PRINCIPAL_COMPONENTS;
  const auto kinds = WeighedPairs(options.config, start);
  if (components && start.texts.empty()) {
    return absl::InvalidArgumentError(
        "`contrast.start` is PRINCIPAL_COMPONENTS, but the corpus has no texts "
        "on both sides of a pair; give the dataset `keywords` of two groups");
  }
  if (!components && (kinds.empty() || options.config.pairs_per_step() == 0)) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(options.seed);
    return torch::randn({model.width, model.width}, generator,
                        torch::kFloat32) /
           std::sqrt(static_cast<double>(model.width));
  }
  LARR_ASSIGN_OR_RETURN(
      const torch::Tensor states,
      StatesOf(start.texts, model, options.config.steps(), progress));
  spdlog::info(
      "fits the projection's start of={} texts={} users={} pois={} orders={}",
      components ? "components" : "pairs", start.texts.size(),
      start.pairs[0].size(), start.pairs[1].size(), start.pairs[2].size());
  return components ? FitPrincipalComponents(states, start.slot)
                    : FitLinearStart(states, start.slot, kinds);
}

}  // namespace

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

StartTexts StartTextsOf(const ContrastSampler& sampler) {
  SlotPairSample sample = sampler.DrawSlotPairs(kSlotTexts);
  StartTexts start{std::move(sample.texts), {}, std::move(sample.pairs)};
  start.slot = SlotsOfTexts(start.texts);
  // What stands before a slot shows in its state, too: composed texts belong
  // to the variance that pairs are seen against, as groups of their own.
  const auto composed = ComposedTexts(sampler);
  for (const int32_t slot : SlotsOfTexts(composed))
    start.slot.push_back(-1 - slot);
  start.texts.insert(start.texts.end(), composed.begin(), composed.end());
  return start;
}

absl::StatusOr<torch::Tensor> KeptIn(
    const std::filesystem::path& file, const std::string& identity,
    const std::function<absl::StatusOr<torch::Tensor>()>& make) {
  if (std::filesystem::exists(file)) {
    LARR_ASSIGN_OR_RETURN(const auto kept, SafetensorsFile::Open(file));
    const auto known = kept.metadata().find("identity");
    if (known != kept.metadata().end() && known->second == identity) {
      LARR_ASSIGN_OR_RETURN(const auto view, kept.View(kMatrix));
      return view.clone();
    }
  }
  LARR_ASSIGN_OR_RETURN(torch::Tensor matrix, make());
  LARR_RETURN_IF_ERROR(
      WriteSafetensors(file, {{kMatrix, matrix}}, {{"identity", identity}}));
  return matrix;
}

absl::StatusOr<torch::Tensor> ContrastStart(const ContrastStartOptions& options,
                                            const ContrastSampler& sampler,
                                            const TextModel& model,
                                            ProgressWriter& progress) {
  return KeptIn(options.file, options.identity,
                [&] { return Fit(options, sampler, model, progress); });
}

}  // namespace larr::stage
