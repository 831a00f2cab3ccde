// SPDX-License-Identifier: Apache-2.0
#include "services/stage/pretrain.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/llm/losses.h"
#include "common/tensors/torch_status.h"
#include "services/stage/corpus_files.h"
#include "services/stage/llm_stage.h"
#include "services/stage/sampling.h"

namespace larr::stage {
namespace {

using config::v1::PretrainConfig;

// Held-out descriptions that are looked at, and how many at once.
constexpr size_t kHeldOut = 128;
constexpr size_t kHeldOutBatch = 32;

// A file of documents, one a line; only where the lines are is kept.
class GeneralCorpus {
 public:
  static absl::StatusOr<GeneralCorpus> Open(const std::string& path) {
    GeneralCorpus corpus;
    corpus.path_ = path;
    std::ifstream in(path, std::ios::binary);
    std::streamoff begin = 0;
    for (std::string line; std::getline(in, line);) {
      if (!line.empty()) corpus.lines_.push_back(begin);
      begin += static_cast<std::streamoff>(line.size()) + 1;
    }
    if (corpus.lines_.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "pretrain.general_corpus: {} is missing or has no line", path));
    }
    return corpus;
  }
  size_t size() const { return lines_.size(); }
  absl::StatusOr<std::string> Read(size_t i) const {
    std::ifstream in(path_, std::ios::binary);
    std::string line;
    in.seekg(lines_[i]);
    if (!std::getline(in, line))
      return absl::DataLossError(path_ + ": changed while it was read");
    return line;
  }

 private:
  std::string path_;
  std::vector<std::streamoff> lines_;
};

// What a step's batch is made of.
struct Material {
  std::vector<CorpusDescription> training;
  std::vector<CorpusDescription> held_out;
  std::optional<GeneralCorpus> general;
};

// The order that training texts are gone through in; of general ones, too,
// where there are any.
struct Orders {
  std::optional<EpochOrder> training;
  std::optional<EpochOrder> general;
};

Orders MakeOrders(uint64_t seed, const Material& material) {
  Orders orders;
  if (!material.training.empty())
    orders.training.emplace(seed, "descriptions", material.training.size());
  if (material.general)
    orders.general.emplace(seed, "general", material.general->size());
  return orders;
}

absl::StatusOr<Material> ReadMaterial(const StageContext& context,
                                      const PretrainConfig& config) {
  LARR_ASSIGN_OR_RETURN(const auto folder, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(auto all, ReadDescriptions(folder));
  Material material;
  for (auto& description : all) {
    if (!description.held_out) {
      material.training.push_back(std::move(description));
    } else if (material.held_out.size() < kHeldOut) {
      material.held_out.push_back(std::move(description));
    }
  }
  if (material.training.empty() && config.steps() > 0) {
    return absl::InvalidArgumentError(
        folder.string() +
        ": no description to train on; set pretrain.steps to 0");
  }
  if (config.general_fraction() > 0) {
    LARR_ASSIGN_OR_RETURN(material.general,
                          GeneralCorpus::Open(config.general_corpus()));
  }
  return material;
}

// D = [x, y] as tokens. y begins with a special token, so that the two can be
// cut apart.
absl::StatusOr<Description> Tokenize(const Tokenizer& tokenizer,
                                     const CorpusDescription& text,
                                     int32_t max_tokens) {
  const std::string parts[] = {text.x, text.y};
  LARR_ASSIGN_OR_RETURN(auto ids, tokenizer.Encode(parts));
  Description out{std::move(ids[0]), 0};
  out.given = static_cast<int64_t>(out.ids.size());
  out.ids.insert(out.ids.end(), ids[1].begin(), ids[1].end());
  if (static_cast<int64_t>(out.ids.size()) > max_tokens)
    out.ids.resize(max_tokens);
  return out;
}

absl::StatusOr<std::vector<Description>> StepDescriptions(
    const PretrainConfig& config, const Material& material,
    const Tokenizer& tokenizer, int64_t step, Orders& orders) {
  const int64_t count = config.descriptions_per_step();
  const int64_t general =
      material.general.has_value()
          ? std::llround(config.general_fraction() * static_cast<double>(count))
          : 0;
  std::vector<Description> out;
  if (general < count) {
    for (const uint64_t i : orders.training->Items(step, count - general)) {
      LARR_ASSIGN_OR_RETURN(
          auto description,
          Tokenize(tokenizer, material.training[i], config.max_tokens()));
      out.push_back(std::move(description));
    }
  }
  if (general > 0) {
    for (const uint64_t i : orders.general->Items(step, general)) {
      LARR_ASSIGN_OR_RETURN(std::string line, material.general->Read(i));
      // Trains on all of its tokens.
      LARR_ASSIGN_OR_RETURN(auto document,
                            Tokenize(tokenizer, {"", std::move(line), false},
                                     config.max_tokens()));
      if (!document.ids.empty()) out.push_back(std::move(document));
    }
  }
  return out;
}

// Sum of the loss over the targets, and their number.
torch::Tensor SumLoss(const Decoder& decoder, const LanguageBatch& batch) {
  return NextTokenLoss(decoder.Hidden(batch.batch).index_select(0, batch.rows),
                       decoder.head(), batch.targets);
}

// Loss a token on held-out descriptions; null where there are none.
absl::StatusOr<nlohmann::json> HeldOutLoss(const Decoder& decoder,
                                           const Tokenizer& tokenizer,
                                           const Material& material,
                                           int32_t max_tokens) {
  double loss = 0;
  int64_t targets = 0;
  for (size_t from = 0; from < material.held_out.size();
       from += kHeldOutBatch) {
    std::vector<Description> descriptions;
    for (size_t i = from;
         i < std::min(from + kHeldOutBatch, material.held_out.size()); ++i) {
      LARR_ASSIGN_OR_RETURN(
          auto description,
          Tokenize(tokenizer, material.held_out[i], max_tokens));
      descriptions.push_back(std::move(description));
    }
    LARR_RETURN_IF_ERROR(GuardTorch("held-out loss", [&] {
      const torch::NoGradGuard no_grad;
      const LanguageBatch batch = MakeLanguageBatch(descriptions);
      if (batch.targets.size(0) == 0) return absl::OkStatus();
      loss += SumLoss(decoder, batch).item<double>();
      targets += batch.targets.size(0);
      return absl::OkStatus();
    }));
  }
  if (targets == 0) return nlohmann::json(nullptr);
  return nlohmann::json(loss / static_cast<double>(targets));
}

absl::Status TrainAndWrite(StageContext& context, const PretrainConfig& config,
                           const Material& material, int64_t first_special,
                           Checkpoint& checkpoint) {
  LARR_ASSIGN_OR_RETURN(const auto digests, InputDigests(context, {"corpus"}));
  Decoder decoder(checkpoint.config, checkpoint.weights, first_special,
                  config.frozen_layers());
  LARR_RETURN_IF_ERROR(
      SetUpDecoder(context, DecoderSettingsOf(config), decoder));
  Optimizer optimizer(decoder.Train(/*with_vocabulary=*/true),
                      config.optimizer(), config.steps());
  LlmTrainer trainer(
      MakeTrainerOptions(context, config.steps(), config.checkpoint_steps(),
                         config.kept_checkpoints(), ToTextProto(config),
                         digests),
      optimizer);
  LARR_RETURN_IF_ERROR(trainer.Restore());
  const auto held_out = [&] {
    return HeldOutLoss(decoder, checkpoint.tokenizer, material,
                       config.max_tokens());
  };
  if (config.steps() > 0 && !trainer.notes().contains("held_out_before")) {
    LARR_ASSIGN_OR_RETURN(trainer.notes()["held_out_before"], held_out());
  }
  Orders orders = MakeOrders(context.config.spec().seed(), material);
  const auto body = [&](int64_t step) -> absl::StatusOr<StepResult> {
    LARR_ASSIGN_OR_RETURN(
        const auto descriptions,
        StepDescriptions(config, material, checkpoint.tokenizer, step, orders));
    const LanguageBatch batch = MakeLanguageBatch(descriptions);
    if (batch.targets.size(0) == 0) {
      return absl::InvalidArgumentError(
          "no token to predict; raise pretrain.max_tokens");
    }
    const auto loss =
        SumLoss(decoder, batch) / static_cast<double>(batch.targets.size(0));
    loss.backward();
    optimizer.Accumulate();
    return StepResult{loss.item<double>(), batch.batch.tokens(), {}};
  };
  LARR_RETURN_IF_ERROR(RunTrainer(context, config.steps(), body, trainer));
  decoder.MergeAdapters();
  nlohmann::ordered_json report;
  if (config.steps() > 0) {
    LARR_ASSIGN_OR_RETURN(const auto after, held_out());
    report["held_out"] = {{"descriptions", material.held_out.size()},
                          {"before", trainer.notes()["held_out_before"]},
                          {"after", after}};
    spdlog::info("pretrained steps={} held_out={}", config.steps(),
                 report["held_out"].dump());
  }
  config::v1::ArtifactManifest manifest;
  manifest.mutable_parents()->insert(digests.begin(), digests.end());
  manifest.set_config(ToTextProto(config));
  return WriteTrained(context, checkpoint, DtypeOf(config.precision()), nullptr,
                      trainer, std::move(report), std::move(manifest));
}

}  // namespace

absl::Status RunPretrain(StageContext& context) {
  const auto& spec = context.config.spec();
  LARR_ASSIGN_OR_RETURN(const PretrainConfig config,
                        CompletePretrainConfig(spec.pretrain()));
  at::set_num_threads(context.threads());
  LARR_ASSIGN_OR_RETURN(const auto corpus, context.Input("corpus"));
  LARR_ASSIGN_OR_RETURN(
      const auto dataset,
      LoadTextProto<config::v1::DatasetSpec>(corpus / "dataset.textproto"));
  LARR_ASSIGN_OR_RETURN(const auto material, ReadMaterial(context, config));
  LARR_ASSIGN_OR_RETURN(
      auto checkpoint,
      ReadCheckpoint(spec.base_model(), DtypeOf(config.precision())));
  LARR_RETURN_IF_ERROR(
      CheckFrozenLayers("pretrain", config.frozen_layers(), checkpoint.config));
  // Known now: not after the hours of this stage.
  LARR_RETURN_IF_ERROR(CheckFrozenLayers(
      "contrast", spec.contrast().frozen_layers(), checkpoint.config));
  const auto slots = SlotsOf(dataset);
  LARR_ASSIGN_OR_RETURN(const int64_t first_special,
                        AddSlots(slots, spec.seed(), checkpoint));
  return GuardTorch("pretraining", [&] {
    return TrainAndWrite(context, config, material, first_special, checkpoint);
  });
}

}  // namespace larr::stage
