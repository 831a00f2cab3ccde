// SPDX-License-Identifier: Apache-2.0
#include "common/config/training_settings.h"

#include <fmt/format.h>

#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>

#include "common/base/date.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/left_out_features.h"
#include "common/config/stage_inputs.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::ContrastConfig;
using config::v1::CtrArchitecture;
using config::v1::DatasetSpec;
using config::v1::EmbedConfig;
using config::v1::LlmOptimizer;
using config::v1::P5Config;
using config::v1::PretrainConfig;
using config::v1::StageConfig;
using config::v1::TrainingSpec;

// Of a recommender. With them no shape of its tensors overflows.
constexpr int32_t kMaxWidth = 1 << 16;
constexpr int32_t kMaxExperts = 1 << 10;

// What is asked of one field. NaN keeps no rule.
struct Rule {
  template <typename T>
  Rule(const char* field, const T& value, bool kept, std::string legal)
      : field(field),
        value(fmt::format("{}", value)),
        kept(kept),
        legal(std::move(legal)) {}

  const char* field;
  std::string value;
  bool kept;
  std::string legal;
};

template <typename T>
Rule NotNegative(const char* field, T value) {
  const bool kept = value >= 0 && std::isfinite(static_cast<double>(value));
  return {field, value, kept, "0 or more"};
}

template <typename T>
Rule Positive(const char* field, T value) {
  const bool kept = value > 0 && std::isfinite(static_cast<double>(value));
  return {field, value, kept, "positive"};
}

template <typename T>
Rule AtLeast(const char* field, T least, T value) {
  return {field, value, value >= least, fmt::format("at least {}", least)};
}

template <typename T>
Rule UpTo(const char* field, T most, T value) {
  return {field, value, value >= 1 && value <= most,
          fmt::format("in [1, {}]", most)};
}

Rule Rate(const char* field, double value) {
  return {field, value, value > 0 && value <= 1, "in (0, 1]"};
}

Rule Share(const char* field, double value) {
  return {field, value, value >= 0 && value < 1, "in [0, 1)"};
}

// Refuses by the first rule that is not kept. `path` leads to the fields'
// message and ends in a dot, or is empty.
absl::Status Check(const std::string& path, std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    if (rule.kept) continue;
    return Invalid("`{}{}` is {}; it must be {}", path, rule.field, rule.value,
                   rule.legal);
  }
  return absl::OkStatus();
}

absl::Status CheckOptimizer(const std::string& path,
                            const LlmOptimizer& optimizer) {
  return Check(path, {Rate("learning_rate", optimizer.learning_rate()),
                      Rate("new_parameter_learning_rate",
                           optimizer.new_parameter_learning_rate()),
                      NotNegative("warmup_steps", optimizer.warmup_steps()),
                      NotNegative("weight_decay", optimizer.weight_decay()),
                      NotNegative("clip_norm", optimizer.clip_norm())});
}

// What stages 1 and 2 have in common.
template <typename Config>
absl::Status CompleteLlmConfig(const std::string& path, Config& config) {
  if (config.precision() == config::v1::PRECISION_UNSPECIFIED)
    config.set_precision(config::v1::BF16);
  if (config.checkpoint_steps() == 0) config.set_checkpoint_steps(100);
  if (config.kept_checkpoints() == 0) config.set_kept_checkpoints(2);
  LARR_RETURN_IF_ERROR(Check(
      path,
      {NotNegative("steps", config.steps()),
       NotNegative("frozen_layers", config.frozen_layers()),
       Positive("checkpoint_steps", config.checkpoint_steps()),
       Positive("kept_checkpoints", config.kept_checkpoints()),
       NotNegative("frozen_cache_megabytes", config.frozen_cache_megabytes()),
       NotNegative("lora.rank", config.lora().rank()),
       NotNegative("lora.alpha", config.lora().alpha())}));
  if (config.lora().rank() > 0 && config.lora().alpha() == 0)
    config.mutable_lora()->set_alpha(config.lora().rank());
  if (config.steps() == 0) return absl::OkStatus();
  return CheckOptimizer(path + "optimizer.", config.optimizer());
}

absl::Status CompleteP5(AlignConfig& config) {
  const bool is_p5 = config.architecture().kind() == CtrArchitecture::P5;
  LARR_RETURN_IF_ERROR(Check(
      "", {{"p5", config.has_p5() ? "set" : "not set", config.has_p5() == is_p5,
            is_p5 ? "set where `architecture.kind` is P5"
                  : "left out where `architecture.kind` is not P5"}}));
  if (!is_p5) return absl::OkStatus();
  P5Config& p5 = *config.mutable_p5();
  if (p5.precision() == config::v1::PRECISION_UNSPECIFIED)
    p5.set_precision(config::v1::BF16);
  LARR_RETURN_IF_ERROR(
      Check("", {AtLeast("p5.max_tokens", 32, p5.max_tokens()),
                 {"p5.tokens_per_step", p5.tokens_per_step(),
                  p5.tokens_per_step() >= p5.max_tokens(),
                  fmt::format("at least `p5.max_tokens`, {}", p5.max_tokens())},
                 NotNegative("p5.frozen_layers", p5.frozen_layers()),
                 {"patience", config.patience(), config.patience() == 0,
                  "0 for a P5: its `epochs` are all trained"}}));
  return CheckOptimizer("p5.optimizer.", p5.optimizer());
}

absl::StatusOr<AlignConfig> CompleteAlign(AlignConfig config) {
  LARR_ASSIGN_OR_RETURN(*config.mutable_architecture(),
                        CompleteArchitecture(config.architecture()));
  if (config.batch_size() == 0) config.set_batch_size(2400);
  if (config.learning_rate() == 0) config.set_learning_rate(8e-4);
  if (config.epochs() == 0) config.set_epochs(1);
  if (config.alignment_temperature() == 0)
    config.set_alignment_temperature(0.1);
  if (config.default_probability() == 0) config.set_default_probability(0.02);
  if (config.checkpoint_steps() == 0) config.set_checkpoint_steps(200);
  if (config.shuffle_rows() == 0) config.set_shuffle_rows(100'000);
  const double probability = config.default_probability();
  LARR_RETURN_IF_ERROR(Check(
      "", {AtLeast("batch_size", 2, config.batch_size()),
           Rate("learning_rate", config.learning_rate()),
           Positive("epochs", config.epochs()),
           NotNegative("max_rows", config.max_rows()),
           NotNegative("alignment_weight", config.alignment_weight()),
           NotNegative("alignment_negatives", config.alignment_negatives()),
           NotNegative("weight_decay", config.weight_decay()),
           NotNegative("patience", config.patience()),
           Positive("alignment_temperature", config.alignment_temperature()),
           {"default_probability", probability,
            probability > 0 && probability < 1, "in (0, 1)"},
           Positive("checkpoint_steps", config.checkpoint_steps()),
           {"shuffle_rows", config.shuffle_rows(),
            config.shuffle_rows() >= config.batch_size(),
            fmt::format("at least `batch_size`, {}", config.batch_size())}}));
  LARR_RETURN_IF_ERROR(CompleteP5(config));
  return config;
}

// What does not go together of the settings that say where vectors come from.
absl::Status CheckEncoder(const TrainingSpec& spec) {
  const std::string& name = config::v1::TextEncoder_Name(spec.encoder());
  const bool words = spec.encoder() == config::v1::BAG_OF_WORDS;
  const bool other = words || spec.encoder() == config::v1::RANDOM;
  const bool made = spec.snapshot().empty();
  return Check(
      "",
      {{"encoder", name,
        made || spec.encoder() == config::v1::TEXT_ENCODER_UNSPECIFIED,
        "left out where `snapshot` is set: its vectors are there"},
       {"embed.vectors_file", spec.embed().vectors_file(),
        made || spec.embed().vectors_file().empty(),
        "left out where `snapshot` is set: its vectors are there"},
       {"embed.vectors_file", spec.embed().vectors_file(),
        !other || spec.embed().vectors_file().empty(),
        fmt::format("empty where `encoder` is {}: one of the two makes vectors",
                    name)},
       {"contrast.pairs_per_step", spec.contrast().pairs_per_step(),
        !words || !NeedsStage(spec, StageConfig::CONTRAST) ||
            spec.contrast().pairs_per_step() > 0,
        fmt::format("positive where `encoder` is {}: its projection is fitted "
                    "to so many texts at once",
                    name)}});
}

// Vectors that a run finds made may have any width: their stage checks it.
absl::Status CheckHeads(const TrainingSpec& spec,
                        const CtrArchitecture& architecture) {
  const bool known_width =
      spec.snapshot().empty() && spec.embed().vectors_file().empty();
  return Check("",
               {{"architecture.encoder_heads", architecture.encoder_heads(),
                 architecture.kind() != CtrArchitecture::LARR || !known_width ||
                     kEmbeddingDim % architecture.encoder_heads() == 0,
                 fmt::format("a divisor of {}, the width of a text's vector",
                             kEmbeddingDim)}});
}

// The error with the name of the recommender whose it is.
absl::Status WithName(const std::string& name, const absl::Status& error) {
  return Invalid("`align` named `{}`: {}", name, std::string(error.message()));
}

// A run that publishes offers its last model.
absl::Status CheckOffered(const TrainingSpec& spec) {
  if (spec.evaluate_only() || spec.align().empty()) return absl::OkStatus();
  const AlignConfig& last = *spec.align().rbegin();
  if (last.architecture().kind() != CtrArchitecture::P5)
    return absl::OkStatus();
  return WithName(last.name(),
                  absl::InvalidArgumentError(
                      "a P5 cannot be served, and the last model is the one "
                      "that `publish` offers; put another one last, or set "
                      "`evaluate_only`"));
}

}  // namespace

absl::StatusOr<PretrainConfig> CompletePretrainConfig(PretrainConfig config) {
  LARR_RETURN_IF_ERROR(CompleteLlmConfig("pretrain.", config));
  if (config.general_text_column().empty())
    config.set_general_text_column("text");
  LARR_RETURN_IF_ERROR(Check(
      "pretrain.",
      {NotNegative("tokens_per_step", config.tokens_per_step()),
       NotNegative("tokens_per_pass", config.tokens_per_pass()),
       NotNegative("evaluate_steps", config.evaluate_steps()),
       Share("general_fraction", config.general_fraction()),
       {"general_corpus", "not set",
        config.general_fraction() == 0 || !config.general_corpus().empty(),
        "a file where `general_fraction` is positive"}}));
  if (config.steps() == 0) return config;
  const int32_t texts = config.descriptions_per_step();
  const int32_t tokens = config.tokens_per_step();
  // A text is never split over steps or passes.
  const auto fits = [&](const char* field, int32_t value) {
    return Rule{field, value, value == 0 || value >= config.max_tokens(),
                fmt::format("at least `max_tokens`, {}", config.max_tokens())};
  };
  LARR_RETURN_IF_ERROR(
      Check("pretrain.",
            {{"descriptions_per_step", texts,
              texts >= 0 && (texts > 0) != (tokens > 0),
              fmt::format("positive, or else `tokens_per_step`, which is {}: "
                          "set exactly one of the two",
                          tokens)},
             AtLeast("max_tokens", 2, config.max_tokens()),
             fits("tokens_per_step", tokens),
             fits("tokens_per_pass", config.tokens_per_pass())}));
  return config;
}

absl::StatusOr<ContrastConfig> CompleteContrastConfig(ContrastConfig config) {
  LARR_RETURN_IF_ERROR(CompleteLlmConfig("contrast.", config));
  if (config.tokens_per_chunk() == 0) config.set_tokens_per_chunk(8192);
  if (config.held_out_pairs() == 0) config.set_held_out_pairs(500);
  if (config.start() == ContrastConfig::START_UNSPECIFIED)
    config.set_start(ContrastConfig::PAIRS);
  const bool components =
      config.start() == ContrastConfig::PRINCIPAL_COMPONENTS;
  const double same_value = config.same_value_fraction();
  LARR_RETURN_IF_ERROR(Check(
      "contrast.",
      {{"max_tokens", config.max_tokens(), config.max_tokens() >= 2,
        "at least 2, without steps too: an embedder's texts are cut there"},
       NotNegative("pairs_per_step", config.pairs_per_step()),
       NotNegative("layers", config.layers()),
       {"pairs_per_step", config.pairs_per_step(),
        !components || config.pairs_per_step() > 0,
        "positive where `start` is PRINCIPAL_COMPONENTS, without steps too: so "
        "many texts are composed at once for the components to be of"},
       Share("keyword_dropout", config.keyword_dropout()),
       {"same_value_fraction", same_value, same_value >= 0 && same_value <= 1,
        "in [0, 1]"},
       {"same_value_column", "not set",
        same_value == 0 || !config.same_value_column().empty(),
        fmt::format("a column of `pois` where `same_value_fraction` is {}",
                    same_value)},
       NotNegative("user_user_weight", config.user_user_weight()),
       NotNegative("poi_poi_weight", config.poi_poi_weight()),
       NotNegative("user_poi_weight", config.user_poi_weight()),
       Positive("tokens_per_chunk", config.tokens_per_chunk()),
       Positive("held_out_pairs", config.held_out_pairs()),
       NotNegative("evaluate_steps", config.evaluate_steps())}));
  if (config.steps() == 0) return config;
  const double weights = config.user_user_weight() + config.poi_poi_weight() +
                         config.user_poi_weight();
  LARR_RETURN_IF_ERROR(Check(
      "contrast.",
      {{"pairs_per_step", config.pairs_per_step(), config.pairs_per_step() >= 2,
        "at least 2: one pair has no negatives"},
       Positive("temperature", config.temperature()),
       {"user_user_weight", weights, weights > 0,
        "positive, or else `poi_poi_weight` or `user_poi_weight`"}}));
  return config;
}

absl::StatusOr<EmbedConfig> CompleteEmbedConfig(EmbedConfig config) {
  if (config.precision() == config::v1::PRECISION_UNSPECIFIED)
    config.set_precision(config::v1::BF16);
  LARR_RETURN_IF_ERROR(Check(
      "embed.", {NotNegative("tokens_per_batch", config.tokens_per_batch()),
                 {"as_of_date", config.as_of_date(),
                  config.as_of_date().empty() || IsDate(config.as_of_date()),
                  "a day, YYYY-MM-DD"}}));
  return config;
}

absl::StatusOr<AlignConfig> CompleteAlignConfig(AlignConfig config) {
  const std::string name = config.name();
  auto complete = CompleteAlign(std::move(config));
  if (complete.ok()) return complete;
  return WithName(name, complete.status());
}

absl::StatusOr<AlignConfig> CompleteAlignConfig(const StageConfig& stage) {
  const AlignConfig* align = FindAlign(stage.spec(), stage.align_name());
  if (align != nullptr) return CompleteAlignConfig(*align);
  return Invalid("spec.align has no model named \"{}\"", stage.align_name());
}

absl::StatusOr<CtrArchitecture> CompleteArchitecture(
    CtrArchitecture architecture) {
  if (architecture.kind() == CtrArchitecture::KIND_UNSPECIFIED)
    return absl::InvalidArgumentError(
        "`architecture.kind` is not set; set it to LARR, PLE, WIDE_DEEP, "
        "DEEP_FM, P5 or LINEAR");
  const auto complete = [](int32_t value, int32_t fallback) {
    return value == 0 ? fallback : value;
  };
  architecture.set_embedding_width(
      complete(architecture.embedding_width(), 16));
  architecture.set_ple_levels(complete(architecture.ple_levels(), 2));
  architecture.set_task_experts(complete(architecture.task_experts(), 2));
  architecture.set_shared_experts(complete(architecture.shared_experts(), 2));
  architecture.set_tower_width(complete(architecture.tower_width(), 64));
  architecture.set_encoder_heads(complete(architecture.encoder_heads(), 4));
  architecture.set_encoder_ffn_width(
      complete(architecture.encoder_ffn_width(), 512));
  LARR_RETURN_IF_ERROR(
      Check("architecture.",
            {{"ple_levels", architecture.ple_levels(),
              architecture.ple_levels() >= 1 && architecture.ple_levels() <= 16,
              "in [1, 16]"}}));
  if (architecture.expert_widths().empty())
    for (int level = 0; level < architecture.ple_levels(); ++level)
      architecture.add_expert_widths(level == 0 ? 256 : 128);
  LARR_RETURN_IF_ERROR(
      Check("architecture.",
            {UpTo("embedding_width", kMaxWidth, architecture.embedding_width()),
             UpTo("task_experts", kMaxExperts, architecture.task_experts()),
             UpTo("shared_experts", kMaxExperts, architecture.shared_experts()),
             UpTo("tower_width", kMaxWidth, architecture.tower_width()),
             UpTo("encoder_heads", kMaxWidth, architecture.encoder_heads()),
             UpTo("encoder_ffn_width", kMaxWidth,
                  architecture.encoder_ffn_width())}));
  if (architecture.deep_widths().empty())
    for (const int32_t width : {256, 128}) architecture.add_deep_widths(width);
  for (const int32_t width : architecture.expert_widths())
    LARR_RETURN_IF_ERROR(
        Check("architecture.", {UpTo("expert_widths", kMaxWidth, width)}));
  for (const int32_t width : architecture.deep_widths())
    LARR_RETURN_IF_ERROR(
        Check("architecture.", {UpTo("deep_widths", kMaxWidth, width)}));
  if (architecture.expert_widths_size() != architecture.ple_levels())
    return Invalid(
        "`architecture.expert_widths` has {} entries for {} levels; give one "
        "for each level",
        architecture.expert_widths_size(), architecture.ple_levels());
  return architecture;
}

absl::Status CheckTrainingSettings(const TrainingSpec& spec) {
  const double max_loss = spec.publish().max_auc_loss();
  const double sample = spec.evaluate().sample_fraction();
  LARR_RETURN_IF_ERROR(Check(
      "", {{"threads", spec.threads(),
            spec.threads() >= 0 && spec.threads() <= 4096, "in [0, 4096]"},
           Share("corpus.held_out_fraction", spec.corpus().held_out_fraction()),
           NotNegative("corpus.max_pairs", spec.corpus().max_pairs()),
           NotNegative("evaluate.bootstrap_samples",
                       spec.evaluate().bootstrap_samples()),
           {"evaluate.sample_fraction", sample, sample >= 0 && sample <= 1,
            "in [0, 1]"},
           {"evaluate.sample_only", spec.evaluate().sample_only(),
            sample > 0 || !spec.evaluate().sample_only(),
            "false where `evaluate.sample_fraction` is 0"},
           {"publish.max_auc_loss", max_loss, max_loss >= 0 && max_loss <= 1,
            "in [0, 1]"},
           NotNegative("publish.max_calibration_error",
                       spec.publish().max_calibration_error())}));
  LARR_RETURN_IF_ERROR(CheckEncoder(spec));
  if (NeedsStage(spec, StageConfig::PRETRAIN))
    LARR_RETURN_IF_ERROR(CompletePretrainConfig(spec.pretrain()).status());
  if (NeedsStage(spec, StageConfig::CONTRAST))
    LARR_RETURN_IF_ERROR(CompleteContrastConfig(spec.contrast()).status());
  LARR_RETURN_IF_ERROR(CompleteEmbedConfig(spec.embed()).status());
  for (const AlignConfig& align : spec.align()) {
    LARR_ASSIGN_OR_RETURN(const AlignConfig complete,
                          CompleteAlignConfig(align));
    LARR_RETURN_IF_ERROR(CheckHeads(spec, complete.architecture()));
  }
  return CheckOffered(spec);
}

absl::Status CheckRecommenderInputs(CtrArchitecture::Kind kind,
                                    const DatasetSpec& dataset) {
  if (dataset.tabular_features().empty())
    return absl::InvalidArgumentError(
        "the dataset's `tabular_features` is empty, or all are in "
        "`left_out_features`; a recommender needs at least one");
  if (kind != CtrArchitecture::LARR) return absl::OkStatus();
  if (dataset.scene_features().empty())
    return absl::InvalidArgumentError(
        "the dataset's `scene_features` is empty, or all are in "
        "`left_out_features`; a LARR model needs texts: name keywords, or set "
        "`architecture.kind` to PLE");
  if (dataset.user_embedding_features().empty() &&
      dataset.poi_embedding_features().empty())
    return absl::InvalidArgumentError(
        "the dataset's `user_embedding_features` and `poi_embedding_features` "
        "are empty, or all are in `left_out_features`; a LARR model needs them "
        "as e_t of paper eq. 24: name categorical features, or set "
        "`architecture.kind` to PLE");
  return absl::OkStatus();
}

absl::Status CheckRecommenderInputs(const TrainingSpec& spec,
                                    const DatasetSpec& dataset) {
  for (const AlignConfig& align : spec.align()) {
    const auto read = WithoutLeftOutFeatures(dataset, align);
    if (!read.ok()) return WithName(align.name(), read.status());
    const absl::Status status =
        CheckRecommenderInputs(align.architecture().kind(), *read);
    if (!status.ok()) return WithName(align.name(), status);
  }
  return absl::OkStatus();
}

}  // namespace larr
