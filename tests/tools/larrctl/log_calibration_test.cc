// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/log_calibration.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/config/text_proto.h"
#include "tests/testing/shell.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::ctl {
namespace {

namespace fs = std::filesystem;

struct Fixture {
  Fixture() {
    std::ofstream(dataset) << ToTextProto(testing::TinySpec());
    fs::create_directories(out / "date=2024-01-06");
  }
  // As an export has them: arm, ctr, ctcvr, click, order.
  void Write(const testing::Cells& rows, const char* click = "click") const {
    testing::WriteParquet(out / "date=2024-01-06/calls.parquet",
                          {{"logged_arm", ColumnType::kString},
                           {"logged_ctr", ColumnType::kNumber},
                           {"logged_ctcvr", ColumnType::kNumber},
                           {click, ColumnType::kInteger},
                           {"order", ColumnType::kInteger}},
                          rows);
  }
  std::string Refusal() const {
    const auto status = CalibrateLog(out, dataset).status();
    CHECK(absl::IsInvalidArgument(status));
    return std::string(status.message());
  }

  testing::TempDir dir;
  fs::path dataset = dir.path() / "dataset.textproto";
  fs::path out = dir.path() / "out";
};

// Arm `new` says 0.5 and 0.1 and is right; `control` says 0.9 and is not.
testing::Cells Rows() {
  testing::Cells rows;
  const auto add = [&](const char* arm, double ctr, double ctcvr, int64_t click,
                       int64_t order) {
    rows.push_back({std::string(arm), ctr, ctcvr, click, order});
  };
  for (int i = 0; i < 20; ++i) {
    add("new", 0.1, 0.05, i < 2, i < 1);
    add("new", 0.5, 0.25, i < 10, i < 5);
    // An order of another session, without a click, is no conversion.
    add("control", 0.9, 0.9, 0, 1);
  }
  return rows;
}

TEST_CASE("What was answered is judged by what came, by arm", "[larrctl]") {
  const Fixture f;
  f.Write(Rows());
  const auto found = CalibrateLog(f.out, f.dataset);
  INFO(found.status().ToString());
  REQUIRE(found.ok());
  REQUIRE(found->size() == 4);
  const LogCalibration& wrong = (*found)[0];
  CHECK(wrong.arm == "control");
  CHECK(wrong.output == "ctr");
  CHECK(wrong.rows == 20);
  CHECK(wrong.positives == 0);
  CHECK(wrong.calibration.error == Approx(0.9));
  CHECK(wrong.log_loss == Approx(-std::log(0.1)));
  CHECK((*found)[1].positives == 0);

  const LogCalibration& right = (*found)[2];
  CHECK(right.arm == "new");
  CHECK(right.output == "ctr");
  CHECK(right.rows == 40);
  CHECK(right.positives == 12);
  CHECK(right.calibration.ratio == Approx(1));
  REQUIRE_FALSE(right.calibration.bins.empty());
  CHECK(right.calibration.bins.front().mean_score == Approx(0.1));
  CHECK(right.calibration.bins.back().mean_score == Approx(0.5));
  // 0.5 ln 2 of the upper half, and of the lower one 0.1 and 0.9 of its two.
  CHECK(right.log_loss ==
        Approx(0.5 * std::log(2) -
               0.5 * (0.1 * std::log(0.1) + 0.9 * std::log(0.9))));
  CHECK((*found)[3].output == "ctcvr");
  CHECK((*found)[3].positives == 6);
}

TEST_CASE("Rows without a label or a score are left out", "[larrctl]") {
  const Fixture f;
  using Cell = ParquetWriter::Cell;
  f.Write({{std::string("a"), 0.5, Cell(), int64_t{1}, int64_t{0}},
           {std::string("a"), Cell(), 0.5, int64_t{1}, Cell()},
           {std::string("a"), 0.5, 0.5, Cell(), Cell()}});
  const auto found = CalibrateLog(f.out, f.dataset);
  REQUIRE(found.ok());
  REQUIRE(found->size() == 1);
  CHECK(found->front().rows == 1);
}

TEST_CASE("What cannot be judged says why", "[larrctl]") {
  const Fixture f;
  using Cell = ParquetWriter::Cell;
  f.Write({{std::string("a"), 0.5, 0.5, Cell(), Cell()}});
  CHECK_THAT(f.Refusal(), Catch::Contains("export with --labels"));
  f.Write({{std::string("a"), 0.5, 0.5, int64_t{2}, int64_t{0}}});
  CHECK_THAT(f.Refusal(), Catch::Contains("`click`, row 1: the label"));
  f.Write(Rows(), "clicked");
  CHECK_THAT(f.Refusal(), Catch::Contains("no column `click`"));
  testing::WriteParquet(f.out / "date=2024-01-06/calls.parquet",
                        {{"logged_arm", ColumnType::kInteger},
                         {"logged_ctr", ColumnType::kNumber},
                         {"logged_ctcvr", ColumnType::kNumber},
                         {"click", ColumnType::kInteger},
                         {"order", ColumnType::kInteger}},
                        {{int64_t{1}, 0.5, 0.5, int64_t{1}, int64_t{0}}});
  CHECK_THAT(f.Refusal(), Catch::Contains("no column `logged_arm` as logs"));
}

TEST_CASE("larrctl log calibration", "[larrctl]") {
  const Fixture f;
  f.Write(Rows());
  const auto run = [&](const std::string& more) {
    const std::string command = std::string(std::getenv("LARR_BIN_DIR")) +
                                "/larrctl log calibration " + f.out.string() +
                                " --dataset " + f.dataset.string() + more;
    FILE* const pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out(1 << 16, '\0');
    out.resize(fread(out.data(), 1, out.size(), pipe));
    CHECK(testing::ExitCode(pclose(pipe)) == 0);
    return out;
  };
  const auto json = nlohmann::json::parse(run(" -o json"));
  REQUIRE(json["calibrations"].size() == 4);
  CHECK(json["calibrations"][2]["arm"] == "new");
  CHECK(json["calibrations"][2]["ratio"] == Approx(1));
  CHECK(json["calibrations"][0]["ratio"].is_null());  // nothing came true
  CHECK_THAT(run(""),
             Catch::Contains("ARM      OUTPUT  ROWS  POSITIVES  "
                             "PREDICTED/OBSERVED  CALIBRATION ERROR") &&
                 Catch::Contains("new      ctr     40    12         1.000") &&
                 Catch::Contains("\nnew ctcvr\nDECILE  ROWS  PREDICTED"));
}

}  // namespace
}  // namespace larr::ctl
