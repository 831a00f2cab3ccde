// SPDX-License-Identifier: Apache-2.0
#include "common/config/training_settings.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/config/text_proto.h"

namespace larr {
namespace {

using config::v1::AlignConfig;
using config::v1::CtrArchitecture;
using config::v1::TrainingSpec;

constexpr char kGood[] = R"pb(
  pretrain {
    steps: 5
    descriptions_per_step: 4
    max_tokens: 64
    optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 }
  }
  contrast {
    steps: 5
    pairs_per_step: 4
    max_tokens: 64
    optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 }
    temperature: 0.05
    user_poi_weight: 1
  }
  align {
    name: "ple"
    architecture { kind: PLE }
  }
  align {
    name: "larr"
    architecture { kind: LARR }
  }
)pb";

// `fields` on top of settings that are right; a repeated field grows.
absl::Status CheckWith(const std::string& fields) {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  spec.MergeFrom(*ParseTextProto<TrainingSpec>(fields));
  return CheckTrainingSettings(spec);
}

TEST_CASE("Settings out of range are refused by field, value and what is legal",
          "[config]") {
  REQUIRE(CheckWith("").ok());
  const struct {
    const char* fields;
    const char* message;
  } cases[] = {
      {"threads: -1", "`threads` is -1; it must be in [0, 4096]"},
      {"corpus { held_out_fraction: 1 }",
       "`corpus.held_out_fraction` is 1; it must be in [0, 1)"},
      {"corpus { max_pairs: -2 }",
       "`corpus.max_pairs` is -2; it must be 0 or more"},
      {"pretrain { steps: -1 }", "`pretrain.steps` is -1"},
      {"pretrain { descriptions_per_step: -1 }",
       "`pretrain.descriptions_per_step` is -1; it must be positive"},
      {"pretrain { tokens_per_step: 64 }",
       "`pretrain.descriptions_per_step` is 4; it must be positive, or else "
       "`tokens_per_step`, which is 64: set exactly one of the two"},
      {"pretrain { tokens_per_step: -1 }",
       "`pretrain.tokens_per_step` is -1; it must be 0 or more"},
      {"pretrain { tokens_per_pass: 63 }",
       "`pretrain.tokens_per_pass` is 63; it must be at least `max_tokens`, "
       "64"},
      {"pretrain { evaluate_steps: -1 }",
       "`pretrain.evaluate_steps` is -1; it must be 0 or more"},
      {"pretrain { max_tokens: 1 }",
       "`pretrain.max_tokens` is 1; it must be at least 2"},
      {"pretrain { frozen_layers: -1 }", "`pretrain.frozen_layers` is -1"},
      {"pretrain { checkpoint_steps: -1 }",
       "`pretrain.checkpoint_steps` is -1"},
      {"pretrain { kept_checkpoints: -1 }",
       "`pretrain.kept_checkpoints` is -1; it must be positive"},
      {"pretrain { frozen_cache_megabytes: -1 }",
       "`pretrain.frozen_cache_megabytes` is -1"},
      {"pretrain { lora { rank: -1 } }", "`pretrain.lora.rank` is -1"},
      {"pretrain { lora { rank: 4 alpha: nan } }",
       "`pretrain.lora.alpha` is nan"},
      {"pretrain { general_fraction: 1 general_corpus: 'a' }",
       "`pretrain.general_fraction` is 1; it must be in [0, 1)"},
      {"pretrain { general_fraction: 0.5 }",
       "`pretrain.general_corpus` is not set; it must be a file"},
      {"pretrain { optimizer { learning_rate: -1e-4 } }",
       "`pretrain.optimizer.learning_rate` is -0.0001; it must be in (0, 1]"},
      {"pretrain { optimizer { learning_rate: nan } }",
       "`pretrain.optimizer.learning_rate` is nan"},
      {"pretrain { optimizer { new_parameter_learning_rate: 2 } }",
       "`pretrain.optimizer.new_parameter_learning_rate` is 2; "},
      {"pretrain { optimizer { warmup_steps: -1 } }",
       "`pretrain.optimizer.warmup_steps` is -1"},
      {"pretrain { optimizer { weight_decay: inf } }",
       "`pretrain.optimizer.weight_decay` is inf"},
      {"pretrain { optimizer { clip_norm: -1 } }",
       "`pretrain.optimizer.clip_norm` is -1; it must be 0 or more"},
      {"contrast { steps: -1 }", "`contrast.steps` is -1"},
      {"contrast { pairs_per_step: 1 }",
       "`contrast.pairs_per_step` is 1; it must be at least 2: one pair has "
       "no negatives"},
      {"contrast { max_tokens: 1 }", "`contrast.max_tokens` is 1"},
      {"encoder: RANDOM embed { vectors_file: '/v' }",
       "`embed.vectors_file` is /v; it must be empty where `encoder` is "
       "RANDOM"},
      {"snapshot: '/s' encoder: RANDOM",
       "`encoder` is RANDOM; it must be left out where `snapshot` is set"},
      {"snapshot: '/s' embed { vectors_file: '/v' }",
       "`embed.vectors_file` is /v; it must be left out where `snapshot`"},
      {"contrast { frozen_layers: -1 }", "`contrast.frozen_layers` is -1"},
      {"contrast { layers: -1 max_tokens: 8 }", "`contrast.layers` is -1"},
      {"contrast { checkpoint_steps: -1 }",
       "`contrast.checkpoint_steps` is -1"},
      {"contrast { kept_checkpoints: -1 }",
       "`contrast.kept_checkpoints` is -1; it must be positive"},
      {"contrast { frozen_cache_megabytes: -1 }",
       "`contrast.frozen_cache_megabytes` is -1"},
      {"contrast { lora { rank: -1 } }", "`contrast.lora.rank` is -1"},
      {"contrast { lora { rank: 4 alpha: nan } }",
       "`contrast.lora.alpha` is nan"},
      {"contrast { temperature: -1 }",
       "`contrast.temperature` is -1; it must be positive"},
      {"contrast { poi_poi_weight: -1 }", "`contrast.poi_poi_weight` is -1"},
      {"contrast { tokens_per_chunk: -1 }",
       "`contrast.tokens_per_chunk` is -1; it must be positive"},
      {"contrast { held_out_pairs: -1 }",
       "`contrast.held_out_pairs` is -1; it must be positive"},
      {"contrast { evaluate_steps: -1 }",
       "`contrast.evaluate_steps` is -1; it must be 0 or more"},
      {"contrast { keyword_dropout: 1 }",
       "`contrast.keyword_dropout` is 1; it must be in [0, 1)"},
      {"contrast { same_value_fraction: 1.5 }",
       "`contrast.same_value_fraction` is 1.5; it must be in [0, 1]"},
      {"contrast { same_value_fraction: 0.5 }",
       "`contrast.same_value_column` is not set; it must be a column of `pois` "
       "where `same_value_fraction` is 0.5"},
      {"contrast { optimizer { learning_rate: 2 } }",
       "`contrast.optimizer.learning_rate` is 2"},
      {"embed { tokens_per_batch: -1 }", "`embed.tokens_per_batch` is -1"},
      {"embed { as_of_date: '2025-4-11' }",
       "`embed.as_of_date` is 2025-4-11; it must be a day, YYYY-MM-DD"},
      {"evaluate { bootstrap_samples: -1 }",
       "`evaluate.bootstrap_samples` is -1"},
      {"evaluate { sample_fraction: 1.5 }",
       "`evaluate.sample_fraction` is 1.5; it must be in [0, 1]"},
      {"evaluate { sample_only: true }",
       "`evaluate.sample_only` is true; it must be false where "
       "`evaluate.sample_fraction` is 0"},
      {"publish { max_auc_loss: 2 }",
       "`publish.max_auc_loss` is 2; it must be in [0, 1]"},
      {"publish { max_calibration_error: -1 }",
       "`publish.max_calibration_error` is -1"},
  };
  for (const auto& c : cases) {
    const absl::Status status = CheckWith(c.fields);
    INFO(c.fields << " | " << status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(c.message));
  }
  const char* same_city =
      "contrast { same_value_fraction: 0.5 same_value_column: 'city' }";
  CHECK(CheckWith(same_city).ok());
}

TEST_CASE("A recommender's settings are refused by its name", "[config]") {
  const std::string no_kind;
  const struct {
    std::string fields;
    const char* message;
  } cases[] = {
      {"batch_size: 1",
       "`align` named `x`: `batch_size` is 1; it must be at "
       "least 2"},
      {"learning_rate: -1", "`learning_rate` is -1; it must be in (0, 1]"},
      {"epochs: -1", "`epochs` is -1"},
      {"max_rows: -1", "`max_rows` is -1"},
      {"alignment_weight: -1", "`alignment_weight` is -1"},
      {"alignment_negatives: -1", "`alignment_negatives` is -1"},
      {"weight_decay: -0.1", "`weight_decay` is -0.1; it must be 0 or more"},
      {"weight_decay: nan", "`weight_decay` is nan"},
      {"patience: -1", "`patience` is -1; it must be 0 or more"},
      {"alignment_temperature: -1", "`alignment_temperature` is -1"},
      {"default_probability: 1",
       "`default_probability` is 1; it must be in (0, 1)"},
      {"checkpoint_steps: -1", "`checkpoint_steps` is -1"},
      {"shuffle_rows: 10",
       "`shuffle_rows` is 10; it must be at least `batch_size`, 2400"},
      {no_kind,
       "`architecture.kind` is not set; set it to LARR, PLE, "
       "WIDE_DEEP, DEEP_FM, P5 or LINEAR"},
      {"architecture { tower_width: -1 }",
       "`architecture.tower_width` is -1; it must be in [1, 65536]"},
      {"architecture { ple_levels: 2000000000 }",
       "`architecture.ple_levels` is 2000000000; it must be in [1, 16]"},
      {"architecture { ple_levels: 3 expert_widths: [ 8, 8 ] }",
       "`architecture.expert_widths` has 2 entries for 3 levels"},
      {"architecture { expert_widths: [ 8, 0 ] }",
       "`architecture.expert_widths` is 0"},
      {"architecture { task_experts: 1025 }",
       "`architecture.task_experts` is 1025; it must be in [1, 1024]"},
      {"architecture { encoder_heads: -1 }",
       "`architecture.encoder_heads` is -1; it must be in [1, 65536]"},
  };
  for (const auto& c : cases) {
    auto align = *ParseTextProto<AlignConfig>(c.fields);
    align.set_name("x");
    if (c.fields != no_kind)
      align.mutable_architecture()->set_kind(CtrArchitecture::LARR);
    const absl::Status status = CompleteAlignConfig(align).status();
    INFO(c.fields << " | " << status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains(c.message));
  }
  // Heads are LARR's alone, and divide what the run's own vectors have.
  CHECK(
      CheckWith("align { architecture { kind: PLE encoder_heads: 3 } }").ok());
  const std::string three =
      "align { architecture { kind: LARR encoder_heads: 3 } }";
  CHECK_THAT(CheckWith(three).ToString(),
             Catch::Contains("`architecture.encoder_heads` is 3; it must be a "
                             "divisor of 128"));
  CHECK(CheckWith(three + "embed { vectors_file: 'v.parquet' }").ok());
}

constexpr char kP5[] = R"pb(
  name: "p5"
  architecture { kind: P5 }
  p5 {
    max_tokens: 256
    tokens_per_step: 2048
    optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 }
  }
)pb";

TEST_CASE("A P5 needs its settings, and no other kind has them", "[config]") {
  const auto good = *ParseTextProto<AlignConfig>(kP5);
  REQUIRE(CompleteAlignConfig(good).ok());
  CHECK(CompleteAlignConfig(good)->p5().precision() == config::v1::BF16);
  const struct {
    const char* fields;
    const char* message;
  } cases[] = {
      {"architecture { kind: PLE }",
       "`p5` is set; it must be left out where `architecture.kind` is not P5"},
      {"p5 { max_tokens: 31 }",
       "`p5.max_tokens` is 31; it must be at least 32"},
      {"p5 { tokens_per_step: 255 }",
       "`p5.tokens_per_step` is 255; it must be at least `p5.max_tokens`, 256"},
      {"p5 { frozen_layers: -1 }", "`p5.frozen_layers` is -1"},
      {"p5 { optimizer { learning_rate: 2 } }",
       "`p5.optimizer.learning_rate` is 2; it must be in (0, 1]"},
      {"p5 { optimizer { new_parameter_learning_rate: -1 } }",
       "`p5.optimizer.new_parameter_learning_rate` is -1"},
      {"p5 { optimizer { warmup_steps: -1 } }",
       "`p5.optimizer.warmup_steps` is -1"},
      {"patience: 2", "`patience` is 2; it must be 0 for a P5"},
  };
  for (const auto& c : cases) {
    auto align = good;
    align.MergeFrom(*ParseTextProto<AlignConfig>(c.fields));
    const absl::Status status = CompleteAlignConfig(align).status();
    INFO(c.fields << " | " << status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(
        std::string(status.message()),
        Catch::Contains("`align` named `p5`: ") && Catch::Contains(c.message));
  }
  auto without = good;
  without.clear_p5();
  CHECK_THAT(
      std::string(CompleteAlignConfig(without).status().message()),
      Catch::Contains(
          "`p5` is not set; it must be set where `architecture.kind` is P5"));
}

TEST_CASE("A run that publishes does not offer a P5", "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  *spec.add_align() = *ParseTextProto<AlignConfig>(kP5);
  const absl::Status status = CheckTrainingSettings(spec);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`align` named `p5`: a P5 cannot be served"));
  SECTION("an experiment publishes nothing") { spec.set_evaluate_only(true); }
  SECTION("another model is last") { spec.mutable_align()->SwapElements(0, 2); }
  CHECK(CheckTrainingSettings(spec).ok());
}

TEST_CASE("A recommender of a dataset that lacks what it reads is refused",
          "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  auto dataset = *ParseTextProto<config::v1::DatasetSpec>(R"pb(
    tabular_features { name: "poi_id" }
    scene_features: "sky"
    poi_embedding_features: "poi_id"
  )pb");
  REQUIRE(CheckRecommenderInputs(spec, dataset).ok());
  const std::string larr = "`align` named `larr`: the dataset's ";
  std::string message;
  SECTION("no ids of the user or the POI") {
    dataset.clear_poi_embedding_features();
    message = larr + "`user_embedding_features` and `poi_embedding_features`";
  }
  SECTION("no texts") {
    dataset.clear_scene_features();
    message = larr + "`scene_features` is empty";
  }
  SECTION("leaving out the only ids of e_t") {
    *dataset.add_tabular_features() = dataset.tabular_features(0);
    dataset.mutable_tabular_features(1)->set_name("price");
    spec.mutable_align(1)->add_left_out_features("poi_id");
    message = larr + "`user_embedding_features` and `poi_embedding_features`";
  }
  SECTION("leaving out all texts") {
    spec.mutable_align(1)->add_left_out_features("sky");
    message = larr + "`scene_features` is empty, or all are in";
  }
  SECTION("leaving out all of it") {
    spec.mutable_align(1)->add_left_out_features("poi_id");
    message = larr + "`tabular_features` is empty, or all are in";
  }
  SECTION("leaving out what is not there") {
    spec.mutable_align(1)->add_left_out_features("cuisine");
    message = "`align` named `larr`: `left_out_features` names \"cuisine\"";
  }
  SECTION("nothing for any") {
    dataset.clear_tabular_features();
    message = "`align` named `ple`: the dataset's `tabular_features` is empty";
  }
  const absl::Status status = CheckRecommenderInputs(spec, dataset);
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains(message));
  // Texts and e_t are LARR's alone.
  spec.mutable_align()->RemoveLast();
  CHECK(CheckRecommenderInputs(spec, dataset).ok() ==
        !dataset.tabular_features().empty());
}

TEST_CASE("What a stage without steps does not read may be left out",
          "[config]") {
  CHECK(CompletePretrainConfig({}).ok());
  const absl::Status status = CompleteContrastConfig({}).status();
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("`contrast.max_tokens` is 0; it must be at least "
                             "2, without steps too"));
  config::v1::ContrastConfig contrast;
  contrast.set_max_tokens(64);
  CHECK(CompleteContrastConfig(contrast).ok());
}

TEST_CASE("A step of stage 1 is counted in texts or in tokens", "[config]") {
  auto pretrain = ParseTextProto<TrainingSpec>(kGood)->pretrain();
  pretrain.clear_descriptions_per_step();
  const auto neither = CompletePretrainConfig(pretrain).status();
  CHECK_THAT(neither.ToString(),
             Catch::Contains("`pretrain.descriptions_per_step` is 0") &&
                 Catch::Contains("`tokens_per_step`, which is 0"));
  pretrain.set_tokens_per_step(63);
  CHECK_THAT(CompletePretrainConfig(pretrain).status().ToString(),
             Catch::Contains("`pretrain.tokens_per_step` is 63; it must be at "
                             "least `max_tokens`, 64"));
  pretrain.set_tokens_per_step(64);
  CHECK(CompletePretrainConfig(pretrain).ok());
}

TEST_CASE("Principal components need texts, with steps or without",
          "[config]") {
  config::v1::ContrastConfig contrast;
  contrast.set_max_tokens(64);
  CHECK(CompleteContrastConfig(contrast)->start() ==
        config::v1::ContrastConfig::PAIRS);
  contrast.set_start(config::v1::ContrastConfig::PRINCIPAL_COMPONENTS);
  CHECK_THAT(CompleteContrastConfig(contrast).status().ToString(),
             Catch::Contains("`contrast.pairs_per_step` is 0; it must be "
                             "positive where `start` is PRINCIPAL_COMPONENTS"));
  contrast.set_pairs_per_step(24);
  CHECK(CompleteContrastConfig(contrast).ok());
}

TEST_CASE("A bag of words needs to know to how many texts it is fitted",
          "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  spec.clear_pretrain();
  spec.mutable_contrast()->clear_pairs_per_step();
  spec.set_encoder(config::v1::BAG_OF_WORDS);
  CHECK_THAT(CheckTrainingSettings(spec).ToString(),
             Catch::Contains("`contrast.pairs_per_step` is 0; it must be "
                             "positive where `encoder` is BAG_OF_WORDS"));
  spec.mutable_contrast()->set_pairs_per_step(24);
  CHECK(CheckTrainingSettings(spec).ok());
}

TEST_CASE("Vectors of the dataset alone need no settings of stages 1 and 2",
          "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  spec.clear_pretrain();
  spec.clear_contrast();
  CHECK_FALSE(CheckTrainingSettings(spec).ok());
  spec.set_encoder(config::v1::RANDOM);
  CHECK(CheckTrainingSettings(spec).ok());
  spec.clear_encoder();
  spec.mutable_embed()->set_vectors_file("/vectors.parquet");
  CHECK(CheckTrainingSettings(spec).ok());
}

TEST_CASE("A contrast without any weight has nothing to learn", "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  spec.mutable_contrast()->clear_user_poi_weight();
  CHECK_THAT(std::string(CheckTrainingSettings(spec).message()),
             Catch::Contains("`contrast.user_user_weight` is 0; it must be "
                             "positive, or else `poi_poi_weight`"));
}

TEST_CASE("Settings of stages that a run leaves out are not looked at",
          "[config]") {
  auto spec = *ParseTextProto<TrainingSpec>(kGood);
  spec.clear_pretrain();
  spec.clear_contrast();
  spec.set_evaluate_only(true);
  CHECK_THAT(std::string(CheckTrainingSettings(spec).message()),
             Catch::Contains("`contrast.max_tokens` is 0"));
  spec.mutable_align(1)->mutable_architecture()->set_kind(
      CtrArchitecture::DEEP_FM);
  CHECK(CheckTrainingSettings(spec).ok());
}

TEST_CASE("Settings that are left out get the proto's defaults", "[config]") {
  const auto spec = *ParseTextProto<TrainingSpec>(kGood);
  CHECK(CompletePretrainConfig(spec.pretrain())->precision() ==
        config::v1::BF16);
  CHECK(CompletePretrainConfig(spec.pretrain())->checkpoint_steps() == 100);
  CHECK(CompletePretrainConfig(spec.pretrain())->general_text_column() ==
        "text");
  CHECK(CompleteContrastConfig(spec.contrast())->checkpoint_steps() == 100);
  CHECK(CompleteContrastConfig(spec.contrast())->tokens_per_chunk() == 8192);
  CHECK(CompleteContrastConfig(spec.contrast())->held_out_pairs() == 500);
  CHECK(CompletePretrainConfig(spec.pretrain())->kept_checkpoints() == 2);
  CHECK(CompleteContrastConfig(spec.contrast())->kept_checkpoints() == 2);
  CHECK(CompleteContrastConfig(spec.contrast())->frozen_cache_megabytes() == 0);
  auto adapted = spec.pretrain();
  CHECK(CompletePretrainConfig(adapted)->lora().rank() == 0);
  adapted.mutable_lora()->set_rank(8);
  CHECK(CompletePretrainConfig(adapted)->lora().alpha() == 8);
  CHECK(CompleteEmbedConfig({})->precision() == config::v1::BF16);
  const auto align = CompleteAlignConfig(spec.align(1));
  REQUIRE(align.ok());
  CHECK(align->batch_size() == 2400);
  CHECK(align->learning_rate() == 8e-4);
  CHECK(align->epochs() == 1);
  CHECK(align->alignment_temperature() == 0.1);
  CHECK(align->default_probability() == 0.02);
  CHECK(align->checkpoint_steps() == 200);
  CHECK(align->shuffle_rows() == 100'000);
  const CtrArchitecture& architecture = align->architecture();
  CHECK(architecture.embedding_width() == 16);
  REQUIRE(architecture.expert_widths_size() == 2);
  CHECK(architecture.expert_widths(0) == 256);
  CHECK(architecture.expert_widths(1) == 128);
  CHECK(architecture.encoder_ffn_width() == 512);
  REQUIRE(architecture.deep_widths_size() == 2);
  CHECK(architecture.deep_widths(0) == 256);
  CHECK(architecture.deep_widths(1) == 128);
}

}  // namespace
}  // namespace larr
