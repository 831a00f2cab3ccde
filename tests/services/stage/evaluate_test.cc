// SPDX-License-Identifier: Apache-2.0
#include "services/stage/evaluate.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <map>

#include "common/base/artifact_folder.h"
#include "common/ctr/auc.h"
#include "common/ctr/bootstrap.h"
#include "common/dataset/parquet_reader.h"
#include "services/stage/align.h"
#include "tests/services/stage/ctr_fixture.h"
#include "tests/testing/program.h"

namespace larr::stage {
namespace {

using config::v1::StageConfig;
using testing::CtrFixture;

// Both models trained; returns the settings of their evaluation.
StageConfig TrainBoth(const CtrFixture& fixture) {
  StageConfig evaluate = fixture.Config(StageConfig::EVALUATE);
  for (const std::string name : {"ple", "larr"}) {
    StageConfig config = fixture.Config(StageConfig::ALIGN);
    config.set_align_name(name);
    StageContext context = fixture.Context(config, name);
    REQUIRE(RunAlign(context).ok());
    (*evaluate.mutable_inputs())["align/" + name] = fixture.path() / name;
  }
  return evaluate;
}

std::vector<double> Column(const RowGroup& group, int column) {
  std::vector<double> values;
  for (int64_t i = 0; i < group.rows(); ++i)
    values.push_back(group.column(column).Number(i));
  return values;
}

TEST_CASE("metrics and scores of every model") {
  const CtrFixture fixture;
  StageContext context = fixture.Context(TrainBoth(fixture), "evaluate");
  REQUIRE(RunEvaluate(context).ok());
  const auto manifest = VerifyArtifact(fixture.path() / "evaluate").value();
  REQUIRE(manifest.kind() == "evaluate");
  for (const char* role : {"embed", "align/ple", "align/larr"})
    REQUIRE(manifest.parents().contains(role));

  const auto json = fixture.Json("evaluate/metrics.json");
  REQUIRE_FALSE(json.contains("bayes"));
  for (const char* name : {"ple", "larr"}) {
    const auto& model = json["models"][name];
    for (const char* part : {"validation", "test"}) {
      CAPTURE(name, part);
      REQUIRE(model[part]["rows"] == 60);
      REQUIRE(model[part]["ctr_auc_interval"].size() == 2);
      // Item p4 is in no table, but it was shown: no item is cold.
      REQUIRE(model[part]["slices"]["cold"]["rows"] == 0);
      int64_t rows = 0;
      for (const auto& slice : model[part]["slices"])
        rows += slice["rows"].get<int64_t>();
      REQUIRE(rows == 60);
    }
    REQUIRE(model["missing"]["user"]["ctr_auc"].is_number());
    REQUIRE(model["missing"]["poi"]["ctr_auc"].is_number());
  }
  // The stage that trained saw the same validation rows.
  REQUIRE(json["models"]["larr"]["validation"]["ctr_auc"] ==
          fixture.Json("larr/training.json")["validation"]["ctr_auc"]);
  REQUIRE(json["models"]["larr"]["missing"]["texts"]["rows"] == 60);
  // Whether a row is clicked follows from the user's number.
  REQUIRE(json["models"]["ple"]["missing"]["user"]["ctr_auc"] <
          json["models"]["ple"]["validation"]["ctr_auc"]);
  REQUIRE_FALSE(json["models"]["ple"]["missing"].contains("texts"));
  REQUIRE_FALSE(json["models"]["ple"].contains("attention"));
  const auto& attention = json["models"]["larr"]["attention"];
  REQUIRE(attention["features"].back() == "agg");
  double sum = 0;
  for (const auto& weight : attention["all"]) sum += weight.get<double>();
  REQUIRE(attention["all"].size() == attention["features"].size());
  REQUIRE(sum == Approx(1));
  REQUIRE_FALSE(attention["slices"].contains("cold"));  // It has no rows.

  auto file =
      ParquetFile::Open(fixture.path() / "evaluate/scores.parquet").value();
  const RowGroup group =
      file.Read(0, {"date", "request_id", "poi_id", "click", "position",
                    "larr_ctr", "larr_ctcvr", "ple_ctr", "ple_ctcvr"})
          .value();
  REQUIRE(group.rows() == 60);
  REQUIRE(group.column(0).String(0) == "2024-01-06");
  REQUIRE(group.column(1).String(4) == "r5-1");
  REQUIRE(group.column(2).String(4) == "p4");
  REQUIRE(group.column(4).Integer(4) == 1);
  std::vector<uint8_t> clicks;
  for (const double click : Column(group, 3))
    clicks.push_back(static_cast<uint8_t>(click));
  REQUIRE(Auc(Column(group, 5), clicks) ==
          Approx(json["models"]["larr"]["test"]["ctr_auc"].get<double>()));
  REQUIRE(Auc(Column(group, 7), clicks) ==
          Approx(json["models"]["ple"]["test"]["ctr_auc"].get<double>()));
}

// A dataset with slices, and both models trained on it.
StageConfig TrainWithSlices(const CtrFixture& fixture) {
  auto spec = testing::TinySpec();
  spec.MergeFrom(
      ParseTextProto<config::v1::DatasetSpec>(
          R"pb(
            slices { name: "late" column: "impressions.hour" at_least: 10 }
            slices {
              name: "asked"
              column: "impressions.request"
              values: "r5-0"
            })pb")
          .value());
  REQUIRE(WriteFileAtomically(fixture.path() / "dataset.textproto",
                              ToTextProto(spec))
              .ok());
  return TrainBoth(fixture);
}

TEST_CASE("slices of the dataset, and the bootstrap's replicates") {
  const CtrFixture fixture;
  StageConfig config = TrainWithSlices(fixture);
  config.mutable_spec()->mutable_evaluate()->set_seed(9);
  StageContext context = fixture.Context(config, "evaluate");
  REQUIRE(RunEvaluate(context).ok());
  const auto metrics = fixture.Json("evaluate/metrics.json")["models"];
  const auto replicates = fixture.Json("evaluate/replicates.json");
  CHECK(replicates["draws"] == 20);
  CHECK(replicates["unit"] == "group");
  CHECK(replicates["seed"] == 9);
  CHECK_FALSE(replicates.contains("bayes"));
  for (const char* name : {"ple", "larr"}) {
    CAPTURE(name);
    const auto& slices = metrics[name]["test"]["slices"];
    CHECK(slices["late"]["rows"] == 20);
    CHECK(slices["asked"]["rows"] == 3);
    CHECK_FALSE(slices.contains("sample"));
    CHECK(metrics[name]["validation"]["slices"]["asked"]["rows"] == 0);
    const auto& of_model = replicates["models"][name];
    for (const char* metric :
         {"ctr_auc", "ctcvr_auc", "ctr_gauc", "ctcvr_gauc"}) {
      CHECK(of_model["all"][metric].size() == 20);
      // Intervals are quantiles of the very same numbers.
      std::vector<double> values;
      for (const auto& value : of_model["all"][metric])
        if (!value.is_null()) values.push_back(value);
      const auto& interval =
          metrics[name]["test"][std::string(metric) + "_interval"];
      if (values.empty()) {
        CHECK(interval.is_null());
        continue;
      }
      CHECK(interval[0].get<double>() ==
            Approx(IntervalOf(values).low).margin(1e-5));
      CHECK(interval[1].get<double>() ==
            Approx(IntervalOf(values).high).margin(1e-5));
    }
    for (const char* slice : {"cold", "rare", "frequent", "late", "asked"})
      CHECK(of_model["slices"][slice]["ctr_auc"].size() == 20);
  }
}

// Every third row of a day names no user, and so no group.
void ForgetUsers(const CtrFixture& fixture, int day) {
  auto rows = testing::TinyImpressions(day, 60);
  for (size_t i = 0; i < rows.size(); i += 3)
    rows[i][1] = ParquetWriter::Cell();
  testing::WriteParquet(testing::TinyFile(fixture.path(), "impressions",
                                          testing::TinyDays()[day]),
                        testing::TinyImpressionColumns(), rows);
}

// Some of the four users are in the sample, but not all; so it is with rows
// that name none.
TEST_CASE("a sample scored alone is the slice of an evaluation of all rows") {
  const CtrFixture fixture;
  StageConfig config = TrainBoth(fixture);
  for (const int day : {4, 5}) ForgetUsers(fixture, day);
  auto& evaluate = *config.mutable_spec()->mutable_evaluate();
  evaluate.set_sample_fraction(0.7);
  StageContext all = fixture.Context(config, "all");
  REQUIRE(RunEvaluate(all).ok());
  evaluate.set_sample_only(true);
  StageContext sample = fixture.Context(config, "sample");
  REQUIRE(RunEvaluate(sample).ok());

  const auto of_all = fixture.Json("all/metrics.json")["models"];
  const auto of_sample = fixture.Json("sample/metrics.json")["models"];
  for (const char* part : {"validation", "test"}) {
    for (const char* name : {"ple", "larr"}) {
      CAPTURE(part, name);
      const auto& slice = of_all[name][part]["slices"]["sample"];
      CHECK(of_all[name][part]["rows"] == 60);
      CHECK(slice["rows"] > 0);
      CHECK(slice["rows"] < 60);
      CHECK(slice.contains("calibration_bins"));
      const auto& alone = of_sample[name][part];
      for (const char* key : {"rows", "groups", "clicks", "orders"})
        CHECK(alone[key] == slice[key]);
      for (const char* key : {"ctr_auc", "ctcvr_auc", "ctr_gauc", "ctcvr_gauc",
                              "ctr_auc_interval", "ctcvr_gauc_interval"})
        CHECK(alone[key] == slice[key]);
      CHECK(alone["slices"]["sample"]["ctr_auc"] == slice["ctr_auc"]);
    }
  }
  const auto draws_all = fixture.Json("all/replicates.json")["models"];
  const auto draws_sample = fixture.Json("sample/replicates.json")["models"];
  for (const char* name : {"ple", "larr"})
    CHECK(draws_all[name]["slices"]["sample"] == draws_sample[name]["all"]);

  auto file =
      ParquetFile::Open(fixture.path() / "sample/scores.parquet").value();
  CHECK(file.rows() == of_sample["ple"]["test"]["rows"].get<int64_t>());
  // Of 20 rows without a user some.
  const int groups = of_sample["ple"]["test"]["groups"];
  CHECK(groups > 6);
  CHECK(groups < 22);
}

TEST_CASE("a missing side is as if its entities were strangers") {
  const CtrFixture fixture;
  const StageConfig config = TrainBoth(fixture);
  StageContext known = fixture.Context(config, "known");
  REQUIRE(RunEvaluate(known).ok());

  // The same validation rows, of users or POIs that are in no table.
  auto rows = testing::TinyImpressions(4, 60);
  std::string side;
  SECTION("users") {
    side = "user";
    for (auto& row : rows) row[1] = std::get<int64_t>(row[1]) + 100;
  }
  SECTION("POIs") {
    side = "poi";
    for (auto& row : rows) row[2] = "x" + std::get<std::string>(row[2]);
  }
  testing::WriteParquet(
      testing::TinyFile(fixture.path(), "impressions", "2024-01-05"),
      testing::TinyImpressionColumns(), rows);
  StageContext strange = fixture.Context(config, "strange");
  REQUIRE(RunEvaluate(strange).ok());

  const auto expected = fixture.Json("strange/metrics.json")["models"];
  const auto models = fixture.Json("known/metrics.json")["models"];
  for (const char* name : {"ple", "larr"}) {
    const auto& missing = models[name]["missing"][side];
    CAPTURE(name, side);
    for (const char* metric : {"ctr_auc", "ctcvr_auc"})
      CHECK(missing[metric] == expected[name]["validation"][metric]);
  }
}

// The kept batches by name, with what tells whether they were written again.
std::map<std::string, ino_t> KeptFiles(const std::filesystem::path& work) {
  std::map<std::string, ino_t> files;
  if (!std::filesystem::exists(work / "scores")) return files;
  for (const auto& entry :
       std::filesystem::directory_iterator(work / "scores")) {
    struct stat info = {};
    REQUIRE(stat(entry.path().c_str(), &info) == 0);
    if (entry.path().extension() == ".safetensors")
      files[entry.path().filename()] = info.st_ino;
  }
  return files;
}

int64_t ProgressLines(const std::filesystem::path& work) {
  const auto text = ReadFile(work / "progress.jsonl");
  return text.ok() ? std::count(text->begin(), text->end(), '\n') : 0;
}

// larr_stage on this config.
testing::Program StartProgram(const CtrFixture& fixture, StageConfig config,
                              const std::string& output) {
  config.set_output(fixture.path() / output);
  config.set_work(fixture.path() / (output + ".work"));
  const auto path = fixture.path() / (output + ".textproto");
  REQUIRE(WriteFileAtomically(path, ToTextProto(config)).ok());
  return testing::Program(
      {std::string(std::getenv("LARR_BIN_DIR")) + "/larr_stage", "--config",
       path},
      fixture.path() / (output + ".log"));
}

// More rows to score than to train on: five batches in each part.
void WriteManyRows(const CtrFixture& fixture) {
  for (const int day : {4, 5})
    testing::WriteParquet(testing::TinyFile(fixture.path(), "impressions",
                                            testing::TinyDays()[day]),
                          testing::TinyImpressionColumns(),
                          testing::TinyImpressions(day, 20'000));
}

TEST_CASE("a killed stage scores no finished batch again") {
  const CtrFixture fixture;
  const StageConfig config = TrainBoth(fixture);
  WriteManyRows(fixture);
  REQUIRE(StartProgram(fixture, config, "calm").Wait() == 0);

  const auto work = fixture.path() / "stormy.work";
  int kills = 0;
  for (const int64_t lines : {2, 4}) {
    auto program = StartProgram(fixture, config, "stormy");
    CHECK(testing::Eventually(
        [&] { return ProgressLines(work) >= lines || !program.Lives(); }));
    program.Kill();
    kills += program.Wait() == -SIGKILL;
  }
  CHECK(kills >= 1);  // the machine may have been faster than the second
  const auto kept = KeptFiles(work);
  CHECK(kept.size() >= 4);
  REQUIRE(StartProgram(fixture, config, "stormy").Wait() == 0);
  const auto finished = KeptFiles(work);
  CHECK(finished.size() == 10);
  for (const auto& [file, inode] : kept) CHECK(finished.at(file) == inode);
  CHECK(ReadArtifact(fixture.path() / "stormy")->digest() ==
        ReadArtifact(fixture.path() / "calm")->digest());
}

TEST_CASE("scores of other models or rows are not taken up") {
  const CtrFixture fixture;
  StageConfig config = TrainBoth(fixture);
  const auto evaluate = [&] {
    std::filesystem::remove_all(fixture.path() / "evaluate");
    StageContext context = fixture.Context(config, "evaluate");
    REQUIRE(RunEvaluate(context).ok());
    return ReadArtifact(fixture.path() / "evaluate")->digest();
  };
  const std::string first = evaluate();
  const auto work = fixture.path() / "evaluate.work";
  REQUIRE(KeptFiles(work).size() == 2);
  SECTION("all is as it was") {
    CHECK(evaluate() == first);
    CHECK(KeptFiles(work).size() == 2);
  }
  SECTION("another model under the same name") {
    (*config.mutable_inputs())["align/ple"] = fixture.path() / "larr";
    CHECK(evaluate() != first);
    CHECK(KeptFiles(work).size() == 4);
  }
  SECTION("other test rows") {
    testing::WriteParquet(
        testing::TinyFile(fixture.path(), "impressions", "2024-01-06"),
        testing::TinyImpressionColumns(), testing::TinyImpressions(5, 61));
    CHECK(evaluate() != first);
    CHECK(KeptFiles(work).size() == 3);
  }
  SECTION("users who say something else") {
    std::filesystem::copy_file(
        testing::TinyFile(fixture.path(), "users", "2024-01-04"),
        testing::TinyFile(fixture.path(), "users", "2024-01-06"),
        std::filesystem::copy_options::overwrite_existing);
    CHECK(evaluate() != first);
    CHECK(KeptFiles(work).size() == 3);
  }
}

TEST_CASE("a model of another embedder is refused") {
  CtrFixture fixture;
  StageConfig config = TrainBoth(fixture);
  fixture.WriteSnapshot("other", "another print");
  (*config.mutable_inputs())["embed"] = fixture.path() / "other";
  StageContext context = fixture.Context(config, "evaluate");
  REQUIRE(RunEvaluate(context).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a model that was not trained is asked for by role") {
  const CtrFixture fixture;
  StageContext context =
      fixture.Context(fixture.Config(StageConfig::EVALUATE), "evaluate");
  const absl::Status status = RunEvaluate(context);
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("align/ple"));
}

}  // namespace
}  // namespace larr::stage
