// SPDX-License-Identifier: Apache-2.0
#include "services/stage/identity.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/testing/make_newer.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::DatasetSpec;
using config::v1::StageConfig;

constexpr StageConfig::Stage kStages[] = {
    StageConfig::CORPUS, StageConfig::PRETRAIN, StageConfig::CONTRAST,
    StageConfig::EMBED,  StageConfig::ALIGN,    StageConfig::EVALUATE};

// A dataset, a base model and an artifact for each role: the stages of a run.
class StageIdentityTest {
 public:
  StageIdentityTest() {
    testing::WriteTinyTables(path());
    Write(testing::TinySpec());
    fs::create_directory(path() / "base");
    std::ofstream(path() / "base/model.safetensors") << "weights";
    config_ = *ParseTextProto<StageConfig>(R"pb(
      align_name: "larr"
      spec {
        contrast { max_tokens: 64 }
        align {
          name: "ple"
          architecture { kind: PLE }
        }
        align {
          name: "larr"
          architecture { kind: LARR }
        }
        threads: 2
      }
    )pb");
    config_.mutable_spec()->set_dataset(path() / "dataset.textproto");
    config_.mutable_spec()->set_base_model(path() / "base");
    for (const char* role :
         {"corpus", "pretrain", "contrast", "embed", "align-ple", "align-larr"})
      MakeInput(role, role);
  }

 protected:
  fs::path path() const { return dir_.path(); }

  void Write(const DatasetSpec& spec) {
    REQUIRE(WriteFileAtomically(path() / "dataset.textproto", ToTextProto(spec))
                .ok());
  }
  void MakeInput(std::string role, const std::string& content) {
    fs::remove_all(path() / role);
    auto writer = ArtifactWriter::Create(path() / role);
    REQUIRE(writer.ok());
    std::ofstream(writer->path() / "data") << content;
    REQUIRE(writer->Finish({}).ok());
    const std::string folder = path() / role;
    if (role.starts_with("align-")) role[5] = '/';
    (*config_.mutable_inputs())[role] = folder;
  }

  StageContext ContextOf(StageConfig::Stage stage) const {
    StageConfig config = config_;
    config.set_stage(stage);
    return {config, ProgressWriter()};
  }
  std::string KeyOf(StageConfig::Stage stage) const {
    const auto key = ArtifactKey(ContextOf(stage));
    INFO(StageConfig::Stage_Name(stage) << key.status());
    REQUIRE(key.ok());
    return *key;
  }
  // The stages whose key a change changes.
  std::string ChangedBy(const std::function<void()>& change) {
    std::map<StageConfig::Stage, std::string> before;
    for (const auto stage : kStages) before[stage] = KeyOf(stage);
    change();
    std::string changed;
    for (const auto stage : kStages) {
      if (KeyOf(stage) != before[stage])
        changed += StageConfig::Stage_Name(stage) + " ";
    }
    return changed;
  }
  config::v1::TrainingSpec& spec() { return *config_.mutable_spec(); }

  testing::TempDir dir_;
  StageConfig config_;
};

TEST_CASE_METHOD(StageIdentityTest, "What changes which artifacts", "[stage]") {
  const std::string all = "CORPUS PRETRAIN CONTRAST EMBED ALIGN EVALUATE ";
  const struct {
    const char* what;
    std::function<void()> change;
    std::string changed;
  } cases[] = {
      {"nothing", [] {}, ""},
      {"folders",
       [&] {
         config_.set_output("/elsewhere");
         config_.set_work("/elsewhere.work");
         config_.set_known_artifacts("/known");
       },
       ""},
      {"seed", [&] { spec().set_seed(8); }, all},
      {"threads", [&] { spec().set_threads(3); },
       "PRETRAIN CONTRAST EMBED ALIGN EVALUATE "},
      {"publish", [&] { spec().mutable_publish()->set_alias("other"); }, ""},
      {"evaluate_only", [&] { spec().set_evaluate_only(true); }, ""},
      {"corpus", [&] { spec().mutable_corpus()->set_max_pairs(9); }, "CORPUS "},
      {"pretrain",
       [&] { spec().mutable_pretrain()->set_precision(config::v1::FP32); },
       "PRETRAIN "},
      {"a default that is written out",
       [&] { spec().mutable_contrast()->set_tokens_per_chunk(8192); }, ""},
      {"the encoder's default",
       [&] { spec().set_encoder(config::v1::LANGUAGE_MODEL); }, ""},
      {"contrast", [&] { spec().mutable_contrast()->set_max_tokens(65); },
       "CONTRAST "},
      {"same value",
       [&] { spec().mutable_contrast()->set_same_value_column("city"); },
       "CORPUS CONTRAST "},
      {"embed", [&] { spec().mutable_embed()->set_tokens_per_batch(9); },
       "EMBED "},
      // It is in the fingerprint that the checkpoint's manifest has.
      {"embed.precision",
       [&] { spec().mutable_embed()->set_precision(config::v1::FP32); },
       "CONTRAST EMBED "},
      {"another model", [&] { spec().mutable_align(0)->set_epochs(9); }, ""},
      {"this model", [&] { spec().mutable_align(1)->set_epochs(9); }, "ALIGN "},
      {"its seed", [&] { spec().mutable_align(1)->set_seed(9); }, "ALIGN "},
      {"evaluate", [&] { spec().mutable_evaluate()->set_bootstrap_samples(9); },
       "EVALUATE "},
      {"corpus artifact", [&] { MakeInput("corpus", "other"); },
       "PRETRAIN CONTRAST "},
      {"pretrain artifact", [&] { MakeInput("pretrain", "other"); },
       "CONTRAST "},
      {"contrast artifact", [&] { MakeInput("contrast", "other"); }, "EMBED "},
      {"embed artifact", [&] { MakeInput("embed", "other"); },
       "ALIGN EVALUATE "},
      {"another model's artifact", [&] { MakeInput("align-ple", "other"); },
       "EVALUATE "},
      {"a data file",
       [&] {
         testing::MakeNewer(
             testing::TinyFile(path(), "pois", testing::TinyDays()[0]));
       },
       "CORPUS EMBED ALIGN EVALUATE "},
      {"a day of the test",
       [&] {
         testing::MakeNewer(
             testing::TinyFile(path(), "impressions", testing::TinyDays()[5]));
       },
       "CORPUS EMBED EVALUATE "},
      {"the dataset",
       [&] {
         DatasetSpec dataset = testing::TinySpec();
         dataset.mutable_keywords(0)->set_template_("A {name}");
         Write(dataset);
       },
       "CORPUS EMBED ALIGN EVALUATE "},
      {"a slice",
       [&] {
         DatasetSpec dataset = testing::TinySpec();
         dataset.mutable_keywords(0)->set_template_("A {name}");
         dataset.add_slices()->set_name("rain");
         Write(dataset);
       },
       "EVALUATE "},
      {"the base model",
       [&] {
         std::ofstream(path() / "base/model.safetensors") << "other weights";
       },
       "PRETRAIN "},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    CHECK(ChangedBy(c.change) == c.changed);
  }
}

TEST_CASE_METHOD(StageIdentityTest,
                 "A day that a split has no use for changes no recommender",
                 "[stage]") {
  DatasetSpec dataset = testing::TinySpec();
  dataset.mutable_split()->mutable_dates()->set_end("2024-01-07");
  Write(dataset);
  CHECK(ChangedBy([&] {
          for (const char* table : {"users", "pois", "impressions"}) {
            const auto from =
                testing::TinyFile(path(), table, testing::TinyDays()[5]);
            const auto to = testing::TinyFile(path(), table, "2024-01-07");
            fs::create_directories(to.parent_path());
            fs::copy_file(from, to);
          }
        }) == "CORPUS EMBED ");
}

TEST_CASE_METHOD(StageIdentityTest,
                 "A model's own seed makes the run's matter no more",
                 "[stage]") {
  spec().mutable_align(1)->set_seed(9);
  CHECK(ChangedBy([&] { spec().set_seed(8); }) ==
        "CORPUS PRETRAIN CONTRAST EMBED EVALUATE ");
  spec().mutable_evaluate()->set_seed(7);
  CHECK(ChangedBy([&] { spec().set_seed(6); }) ==
        "CORPUS PRETRAIN CONTRAST EMBED ");
}

TEST_CASE_METHOD(StageIdentityTest, "A P5 is made of the base model",
                 "[stage]") {
  *spec().mutable_align(1) = *ParseTextProto<config::v1::AlignConfig>(R"pb(
    name: "larr"
    architecture { kind: P5 }
    p5 {
      max_tokens: 64
      tokens_per_step: 64
      optimizer { learning_rate: 1e-4 new_parameter_learning_rate: 1e-3 }
    }
  )pb");
  spec().set_evaluate_only(true);
  CHECK(ChangedBy([&] {
          std::ofstream(path() / "base/model.safetensors") << "other weights";
        }) == "PRETRAIN ALIGN ");
}

TEST_CASE_METHOD(StageIdentityTest, "Files that settings name count as well",
                 "[stage]") {
  const fs::path general = path() / "general.txt", vectors = path() / "vectors";
  std::ofstream(general) << "A document.\n";
  std::ofstream(vectors) << "vectors";
  spec().mutable_pretrain()->set_general_corpus(general);
  spec().mutable_pretrain()->set_general_fraction(0.5);
  spec().mutable_embed()->set_vectors_file(vectors);
  CHECK(ChangedBy([&] { std::ofstream(general) << "Another document.\n"; }) ==
        "PRETRAIN ");
  CHECK(ChangedBy([&] { std::ofstream(vectors) << "other vectors"; }) ==
        "EMBED ");
}

TEST_CASE_METHOD(StageIdentityTest,
                 "What machines may differ in is apart from settings",
                 "[stage]") {
  const StageContext context = ContextOf(StageConfig::PRETRAIN);
  const auto before = IdentityOf(context);
  REQUIRE(before.ok());
  std::ofstream(path() / "base/model.safetensors") << "copied later";
  const auto after = IdentityOf(context);
  REQUIRE(after.ok());
  CHECK(after->settings == before->settings);
  CHECK(after->files != before->files);
}

TEST_CASE_METHOD(StageIdentityTest, "Without an identity there is no key",
                 "[stage]") {
  std::string what;
  StageConfig::Stage stage = StageConfig::ALIGN;
  SECTION("an input is not named") {
    config_.mutable_inputs()->erase("embed");
    what = "`embed`";
  }
  SECTION("a model is not there") {
    config_.set_align_name("nobody");
    what = "nobody";
  }
  SECTION("there is no dataset") {
    spec().set_dataset("/nowhere");
    what = "/nowhere";
  }
  SECTION("a decision is of its moment") {
    MakeInput("evaluate", "metrics");
    stage = StageConfig::PUBLISH;
    what = "PUBLISH";
  }
  CHECK_THAT(ArtifactKey(ContextOf(stage)).status().ToString(),
             Catch::Contains(what));
}

}  // namespace
}  // namespace larr::stage
