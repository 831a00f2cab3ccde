// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "common/dataset/parquet_reader.h"
#include "tests/testing/shell.h"
#include "tests/testing/small_dataset.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::ctl {
namespace {

testing::Outcome Larrctl(const std::string& arguments) {
  return testing::Shell(testing::Bin("larrctl") + " " + arguments);
}

TEST_CASE("larrctl dataset validate", "[larrctl]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path(), 120);
  auto spec = testing::TinySpec();
  const auto path = (dir.path() / "dataset.textproto").string();
  const auto validate = [&](const std::string& options = "") {
    std::ofstream(path) << ToTextProto(spec);
    return Larrctl("dataset validate " + path + options);
  };

  SECTION("a leak is told, and the exit code says so") {
    const auto result = validate();
    CHECK(result.code == 1);
    CHECK_THAT(result.out, Catch::Contains("LEAK?: keyword sky"));
  }
  SECTION("a sound dataset is printed as JSON, too") {
    // Clicks follow the user's number; what does not read it knows nothing.
    spec.clear_keywords();
    spec.clear_scene_features();
    spec.clear_user_embedding_features();
    const auto all = spec.tabular_features();
    spec.clear_tabular_features();
    *spec.add_tabular_features() = all[2];  // poi_id
    *spec.add_tabular_features() = all[3];  // hour
    const auto result = validate(" -o json");
    INFO(result.out);
    CHECK(result.code == 0);
    CHECK(nlohmann::json::parse(result.out)["rows"] == 720);
  }
  SECTION("a wrong spec is wrong usage") {
    spec.set_gauc_group_column("who");
    const auto result = validate();
    CHECK(result.code == 2);
    CHECK_THAT(result.out, Catch::Contains("gauc_group_column reads column "
                                           "`who`, which does not exist"));
  }
  SECTION("files that are missing or damaged are no leak") {
    const auto data = testing::TinyFile(dir.path(), "users", "2024-01-04");
    SECTION("a damaged table") { std::ofstream(data) << "no Parquet"; }
    SECTION("a table that is gone") {
      std::filesystem::remove_all(dir.path() / "users");
    }
    const auto result = validate();
    INFO(result.out);
    CHECK(result.code == 2);
    CHECK_THAT(result.out, Catch::Contains("users"));
  }
  SECTION("a spec that is missing is no leak") {
    const auto result = Larrctl("dataset validate " + path);
    CHECK(result.code == 2);
    CHECK_THAT(result.out, Catch::Contains(path));
  }
}

TEST_CASE("larrctl dataset texts writes what a run would encode", "[larrctl]") {
  const testing::TempDir dir;
  const testing::SmallDataset data(dir.path() / "data");
  const auto out = dir.path() / "texts.parquet";
  const auto result = Larrctl("dataset texts " + data.spec().string() +
                              " --out " + out.string());
  INFO(result.out);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.out,
             Catch::Contains(std::to_string(data.ExpectedTexts()) + " texts"));
  const auto file = ParquetFile::Open(out);
  REQUIRE(file.ok());
  REQUIRE(file->rows() == data.ExpectedTexts());
  const auto group = file->Read(0, {"slot", "text"});
  REQUIRE(group.ok());
  std::map<std::string, std::set<std::string>> texts;
  for (int64_t i = 0; i < group->rows(); ++i)
    texts[std::string(group->column(0).String(i))].emplace(
        group->column(1).String(i));
  CHECK(texts["weather"] == std::set<std::string>{"cold", "hot"});
  CHECK(texts["name"].contains("Place3"));
  CHECK(texts["taste"].contains("tea5 on 2026-01-04"));
  // POIs' comprehensive texts.
  CHECK(texts[""].size() == static_cast<size_t>(data.pois));
  CHECK(texts[""].contains(
      "<name>Place3</name><type>salad</type><dish>dish3</dish>"));

  const auto wrong = Larrctl("dataset texts " + data.spec().string() +
                             " --out " + (dir.path() / "no/where").string());
  CHECK(wrong.code != 0);
  CHECK_THAT(wrong.out, Catch::Contains("no/where"));
}

}  // namespace
}  // namespace larr::ctl
