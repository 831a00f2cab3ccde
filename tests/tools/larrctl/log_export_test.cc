// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/log_export.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/dataset/impression_stream.h"
#include "services/scoring/call_files.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"
#include "tools/demo/logged_request.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;
using scoring::v1::LoggedCall;
using scoring::v1::ScoreRequest;

constexpr int64_t kNoon = 1'704'542'400;  // 2024-01-06 12:00 UTC, a test day
constexpr int kCandidates = 3;

// Request i, as a backend sends it to a model of the tiny dataset.
LoggedCall Call(int i) {
  LoggedCall call;
  call.mutable_time()->set_seconds(kNoon + i);
  call.mutable_time()->set_nanos(5'000);
  call.set_request_id("r" + std::to_string(i));
  ScoreRequest& request = *call.mutable_request();
  request.set_user_id(std::to_string(1 + i % 3));
  (*request.mutable_context())["hour"].set_int_value(8 + i % 3);
  (*request.mutable_context())["sky"].set_string_value(i % 2 ? "rain" : "dry");
  for (int c = 0; c < kCandidates; ++c) {
    auto& candidate = *request.add_candidates();
    candidate.set_poi_id("p" + std::to_string((i + c) % 5));
    (*candidate.mutable_values())["distance"].set_double_value(0.1 * (i + c));
    auto& score = *call.add_scores();
    score.set_candidate(c);
    score.set_ctr(0.01F * static_cast<float>(i) + 0.1F * c);
    score.set_ctcvr(0.001F * static_cast<float>(i));
  }
  call.set_arm(i % 2 ? "control" : "new");
  call.set_model_version("models/tiny/versions/1");
  call.set_snapshot("digest");
  return call;
}

struct Fixture {
  explicit Fixture(int calls = 6) {
    testing::WriteTinyTables(dir.path());
    WriteSpec("impressions");
    auto writer = CallFileWriter::Create({.folder = what.log});
    REQUIRE(writer.ok());
    for (int i = 0; i < calls; ++i)
      REQUIRE((*writer)->Append(Call(i).SerializeAsString()).ok());
  }
  void WriteSpec(const std::string& impressions) const {
    auto spec = testing::TinySpec();
    spec.mutable_impressions()->set_path(impressions);
    std::ofstream(what.dataset) << ToTextProto(spec);
  }
  // Labels of the first two candidates of each request but r0.
  void WriteLabels(int64_t click) {
    testing::Cells rows;
    for (int i = 1; i < 6; ++i) {
      for (int c = 0; c < 2; ++c) {
        rows.push_back({Call(i).request_id(),
                        Call(i).request().candidates(c).poi_id(),
                        c == 0 ? click : 0, int64_t{0}});
      }
    }
    what.labels = dir.path() / "labels.parquet";
    testing::WriteParquet(what.labels,
                          {{"request", ColumnType::kString},
                           {"poi", ColumnType::kString},
                           {"click", ColumnType::kInteger},
                           {"order", ColumnType::kInteger}},
                          rows);
  }
  LogExportReport Export() const {
    const auto report = ExportLog(what);
    INFO(report.status().ToString());
    REQUIRE(report.ok());
    return *report;
  }

  testing::TempDir dir;
  LogExport what{.log = dir.path() / "log",
                 .dataset = dir.path() / "dataset.textproto",
                 .labels = {},
                 .out = dir.path() / "out"};
};

RowGroup Read(const fs::path& path, const std::vector<std::string>& names) {
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  auto group = file->Read(0, names);
  REQUIRE(group.ok());
  return *std::move(group);
}

TEST_CASE("What was answered is in the export, bit by bit", "[larrctl]") {
  const Fixture f;
  const LogExportReport report = f.Export();
  CHECK(report.calls == 6);
  CHECK(report.rows == 6 * kCandidates);
  CHECK(report.unlabelled == 0);
  const RowGroup group =
      Read(f.what.out / "date=2024-01-06/calls.parquet",
           {"logged_ctr", "logged_ctcvr", "logged_arm", "logged_model_version",
            "logged_snapshot", "logged_time_us", "click", "order", "request"});
  REQUIRE(group.rows() == 6 * kCandidates);
  for (int64_t i = 0; i < group.rows(); ++i) {
    const LoggedCall call = Call(static_cast<int>(i / kCandidates));
    const auto& score = call.scores(static_cast<int>(i % kCandidates));
    CHECK(static_cast<float>(group.column(0).Number(i)) == score.ctr());
    CHECK(static_cast<float>(group.column(1).Number(i)) == score.ctcvr());
    CHECK(group.column(2).String(i) == call.arm());
    CHECK(group.column(3).String(i) == call.model_version());
    CHECK(group.column(4).String(i) == call.snapshot());
    CHECK(group.column(5).Integer(i) == call.time().seconds() * 1'000'000 + 5);
    CHECK(group.column(6).IsNull(i));  // no label is made up
    CHECK(group.column(7).IsNull(i));
    CHECK(group.column(8).String(i) == call.request_id());
  }
}

TEST_CASE("With labels the export is impressions of the dataset", "[larrctl]") {
  Fixture f;
  f.WriteLabels(1);
  const LogExportReport report = f.Export();
  CHECK(report.rows == 10);
  CHECK(report.unlabelled == 8);
  // As a day of the dataset, by the dataset's own spec.
  fs::copy(f.what.out / "date=2024-01-06/calls.parquet",
           f.dir.path() / "impressions/date=2024-01-06/part-0.parquet",
           fs::copy_options::overwrite_existing);
  const auto dataset = OpenDataset(f.what.dataset);
  REQUIRE(dataset.ok());
  auto stream = ImpressionStream::Open(*dataset, {.part = Part::kTest});
  REQUIRE(stream.ok());
  std::map<std::string, ScoreRequest> requests;
  Impression row;
  int clicks = 0;
  while (true) {
    const auto more = stream->Next(row);
    INFO(more.status().ToString());
    REQUIRE(more.ok());
    if (!*more) break;
    clicks += static_cast<int>(row.click);
    CHECK(row.user_index >= 0);  // joins the users of the day
    demo::AddImpression(dataset->schemas(), row, requests[row.request_id]);
  }
  CHECK(clicks == 5);
  REQUIRE(requests.size() == 5);
  // A replay sends what came, so it gets what was answered.
  for (int i = 1; i < 6; ++i) {
    ScoreRequest sent = Call(i).request();
    sent.mutable_candidates()->RemoveLast();
    const ScoreRequest& replayed = requests.at("r" + std::to_string(i));
    CHECK(ToTextProto(replayed) == ToTextProto(sent));
  }
}

TEST_CASE("Without labels an export does not train", "[larrctl]") {
  const Fixture f;
  f.Export();
  fs::copy(f.what.out / "date=2024-01-06/calls.parquet",
           f.dir.path() / "impressions/date=2024-01-06/part-0.parquet",
           fs::copy_options::overwrite_existing);
  const auto dataset = OpenDataset(f.what.dataset);
  REQUIRE(dataset.ok());
  auto stream = ImpressionStream::Open(*dataset, {.part = Part::kTest});
  REQUIRE(stream.ok());
  Impression row;
  CHECK_THAT(std::string(stream->Next(row).status().message()),
             Catch::Contains("the label is null"));
}

TEST_CASE("An export that cannot be right is refused whole", "[larrctl]") {
  Fixture f;
  std::string expected;
  SECTION("labels that are no labels") {
    f.WriteLabels(2);
    expected = "column `click`, row 1: the label is neither 0 nor 1";
  }
  SECTION("a folder that is there") {
    fs::create_directory(f.what.out);
    expected = "is there already";
  }
  SECTION("no log") {
    f.what.log = f.dir.path() / "nowhere";
    expected = "nowhere";
  }
  SECTION("a user that is no number where users are numbers") {
    LoggedCall call = Call(0);
    call.mutable_request()->set_user_id("u1");
    REQUIRE((*CallFileWriter::Create({.folder = f.what.log}))
                ->Append(call.SerializeAsString())
                .ok());
    expected = "the value of column `user` is not of the type";
  }
  const auto report = ExportLog(f.what);
  CHECK_FALSE(report.ok());
  CHECK_THAT(std::string(report.status().message()), Catch::Contains(expected));
  if (expected != "is there already") CHECK_FALSE(fs::exists(f.what.out));
}

TEST_CASE("Scores are those of the candidates that they name", "[larrctl]") {
  const Fixture f(0);
  LoggedCall call = Call(1);
  call.mutable_request()->set_top_k(1);
  call.mutable_request()->add_outputs(scoring::v1::CTR);
  call.mutable_scores()->DeleteSubrange(0, 2);  // The last candidate's stays.
  REQUIRE((*CallFileWriter::Create({.folder = f.what.log}))
              ->Append(call.SerializeAsString())
              .ok());
  f.Export();
  const auto file =
      ParquetFile::Open(f.what.out / "date=2024-01-06/calls.parquet");
  REQUIRE(file.ok());
  const auto group = file->Read(0, {"poi", "logged_ctr", "logged_ctcvr"});
  REQUIRE(group.ok());
  REQUIRE(group->rows() == 1);
  CHECK(group->column(0).String(0) == call.request().candidates(2).poi_id());
  CHECK(static_cast<float>(group->column(1).Number(0)) == call.scores(0).ctr());
  CHECK(group->column(2).IsNull(0));  // It was not asked for.
  call.mutable_scores(0)->set_candidate(3);
  REQUIRE((*CallFileWriter::Create({.folder = f.what.log}))
              ->Append(call.SerializeAsString())
              .ok());
  std::filesystem::remove_all(f.what.out);
  CHECK(absl::IsDataLoss(ExportLog(f.what).status()));
}

TEST_CASE("A torn end costs one call", "[larrctl]") {
  const Fixture f;
  const auto files = ListCallFiles(f.what.log);
  REQUIRE(files.ok());
  fs::resize_file(files->front(), fs::file_size(files->front()) - 1);
  const LogExportReport report = f.Export();
  CHECK(report.calls == 5);
  CHECK(report.torn == 1);
}

TEST_CASE("larrctl log export", "[larrctl]") {
  const Fixture f;
  const std::string command = std::string(std::getenv("LARR_BIN_DIR")) +
                              "/larrctl log export " + f.what.log.string() +
                              " --dataset " + f.what.dataset.string() +
                              " --out " + f.what.out.string() + " -o json";
  FILE* const pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096] = {};
  CHECK(fread(buffer, 1, sizeof(buffer) - 1, pipe) > 0);
  CHECK(testing::ExitCode(pclose(pipe)) == 0);
  CHECK(nlohmann::json::parse(buffer)["rows"] == 18);
  CHECK(fs::exists(f.what.out / "date=2024-01-06/calls.parquet"));
}

}  // namespace
}  // namespace larr::ctl
