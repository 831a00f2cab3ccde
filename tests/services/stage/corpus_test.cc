// SPDX-License-Identifier: Apache-2.0
#include "services/stage/corpus.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/dataset/parquet_reader.h"
#include "common/dataset/split.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using config::v1::DatasetSpec;
using config::v1::TrainingSpec;
using Lines = std::vector<std::vector<std::string>>;  // Lists joined by `|`.

Lines Read(const fs::path& path, const std::vector<std::string>& names) {
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  Lines table;
  for (int g = 0; g < file->row_groups(); ++g) {
    const auto group = file->Read(g, names);
    REQUIRE(group.ok());
    for (int64_t i = 0; i < group->rows(); ++i) {
      auto& row = table.emplace_back();
      for (size_t c = 0; c < names.size(); ++c) {
        const auto& column = group->column(static_cast<int>(c));
        if (column.type() != ColumnType::kStringList) {
          Value value;
          column.Read(i, value);
          row.push_back(ToText(value));
          continue;
        }
        std::vector<std::string> list;
        column.ReadList(i, list);
        std::string joined;
        for (const auto& text : list) joined += text + "|";
        row.push_back(joined);
      }
    }
  }
  return table;
}

class World {
 public:
  explicit World(int rows_per_day = 12) {
    testing::WriteTinyTables(dir.path(), rows_per_day);
    settings.mutable_corpus()->set_held_out_fraction(0.3);
    settings.mutable_contrast()->set_same_value_column("city");
  }

  absl::Status Run(const std::string& output = "corpus") {
    REQUIRE(
        WriteFileAtomically(dir.path() / "dataset.textproto", ToTextProto(spec))
            .ok());
    config::v1::StageConfig config;
    config.set_stage(config::v1::StageConfig::CORPUS);
    *config.mutable_spec() = settings;
    config.mutable_spec()->set_dataset(
        (dir.path() / "dataset.textproto").string());
    config.set_output((dir.path() / output).string());
    config.set_work((dir.path() / (output + ".work")).string());
    fs::create_directories(config.work());
    StageContext context{config, ProgressWriter(config.work())};
    return RunCorpus(context);
  }
  Lines File(const std::string& name, const std::vector<std::string>& columns) {
    return Read(dir.path() / "corpus" / (name + ".parquet"), columns);
  }

  const testing::TempDir dir;
  DatasetSpec spec = testing::TinySpec();
  TrainingSpec settings;
};

TEST_CASE("The corpus holds the texts of stages 1 and 2", "[stage]") {
  World world;
  const auto status = world.Run();
  INFO(status.ToString());
  REQUIRE(status.ok());

  // Items as of the last day before training, 2024-01-02.
  const auto descriptions =
      world.File("descriptions", {"poi_id", "date", "x", "y"});
  REQUIRE(descriptions.size() == 4);
  CHECK(descriptions[0] ==
        std::vector<std::string>{
            "p0", "2024-01-02", "<name>Shop p0</name><place>city0</place>",
            "<intro>We cook p0.</intro><sold>2 sold</sold>"});
  CHECK(descriptions[3][3] == "<sold>2 sold</sold>");  // No introduction.

  // Orders of 2024-01-02: rows 1, 5 and 9 (user 2; p1, p0, p4). p4 is unknown.
  CHECK(world.File("pairs", {"user_id", "poi_id", "date", "context"}) ==
        Lines{{"2", "p1", "2024-01-02", "<sky>rain</sky>|"},
              {"2", "p0", "2024-01-02", "<sky>rain</sky>|"}});
  CHECK(world.File("users", {"id", "date", "texts"}) ==
        Lines{{"2", "2024-01-02",
               "<profile>22, city0</profile>|<history>ordered 2 "
               "times</history>|"},
              {"1", "2024-01-02",
               "<profile>21, city1</profile>|<history>ordered 2 "
               "times</history>|"},
              {"3", "2024-01-02",
               "<profile>23, city1</profile>|<history>ordered 2 "
               "times</history>|"}});
  const auto pois = world.File("pois", {"id", "date", "texts", "same_value"});
  REQUIRE(pois.size() == 4);
  CHECK(pois[0] == std::vector<std::string>{
                       "p1", "2024-01-02",
                       "<name>Shop p1</name>|<place>city1</place>|<intro>We "
                       "cook p1.</intro>|<sold>2 sold</sold>|",
                       "city1"});
  CHECK(world.File("known_orders", {"user_id", "poi_id"}) ==
        Lines{{"2", "p0"}, {"2", "p1"}, {"2", "p4"}});

  const auto manifest = VerifyArtifact(world.dir.path() / "corpus");
  REQUIRE(manifest.ok());
  CHECK(manifest->kind() == "corpus");
  const auto stats = nlohmann::json::parse(
      *ReadFile(world.dir.path() / "corpus" / "corpus.json"));
  CHECK(stats["pairs"] == 2);
  CHECK(stats["orders_with_unknown_user_or_poi"] == 1);
  CHECK(stats["impressions"]["train"] == 24);
}

TEST_CASE("Of held-out descriptions it is said what the bytes of y are",
          "[stage]") {
  World world;
  const double fraction = GENERATE(0.001, 0.999);
  world.settings.mutable_corpus()->set_held_out_fraction(fraction);
  REQUIRE(world.Run().ok());
  for (const auto& row :
       world.File("descriptions", {"held_out", "y", "y_kinds"})) {
    CHECK(row[0] == (fraction < 0.5 ? "0" : "1"));
    if (row[0] == "0") {
      CHECK(row[2].empty());
    } else {
      CHECK(row[2].size() == row[1].size());
      // `<sold>2 sold</sold>`
      CHECK_THAT(row[2], Catch::EndsWith("ssssssvtttttsssssss"));
    }
  }
}

TEST_CASE("The corpus knows nothing from the cut-off on", "[stage]") {
  World world;
  REQUIRE(world.Run().ok());
  const auto before = ReadArtifact(world.dir.path() / "corpus");
  // Plant a secret into every later partition and order.
  for (int d = 2; d < 6; ++d) {
    const std::string& day = testing::TinyDays()[d];
    for (const char* table : {"users", "pois", "impressions"}) {
      const auto file = testing::TinyFile(world.dir.path(), table, day);
      const auto other = testing::TinyFile(world.dir.path(), table,
                                           testing::TinyDays()[(d + 1) % 6]);
      if (std::string(table) == "impressions") {
        testing::WriteParquet(file, testing::TinyImpressionColumns(),
                              testing::TinyImpressions(d, 40));
      } else {
        fs::copy_file(other, file, fs::copy_options::overwrite_existing);
      }
    }
  }
  REQUIRE(world.Run("again").ok());
  const auto after = ReadArtifact(world.dir.path() / "again");
  std::map<std::string, std::string> files[2];
  for (const auto& file : before->files())
    files[0][file.path()] = file.sha256();
  for (const auto& file : after->files()) files[1][file.path()] = file.sha256();
  for (const char* name :
       {"descriptions", "users", "pois", "pairs", "known_orders"}) {
    const std::string path = std::string(name) + ".parquet";
    CHECK(files[0].at(path) == files[1].at(path));
  }
}

TEST_CASE("A pair takes the snapshots of its own day", "[stage]") {
  World world;
  auto* dates = world.spec.mutable_split()->mutable_dates();
  dates->set_pairs_begin("2024-01-01");
  dates->set_train_begin("2024-01-04");
  REQUIRE(world.Run().ok());
  std::set<std::string> keys;
  for (const auto& row : world.File("users", {"id", "date", "texts"})) {
    CHECK(keys.insert(row[0] + row[1]).second);
    const std::string day = row[1].substr(9);
    CHECK_THAT(row[2], Catch::Contains("ordered " + day + " times"));
  }
  for (const auto& pair : world.File("pairs", {"user_id", "poi_id", "date"})) {
    CHECK(keys.count(pair[0] + pair[2]) == 1);
  }
  CHECK(keys.count("21") == 0);
  CHECK(keys.count("22024-01-01") == 1);
}

TEST_CASE("max_pairs takes a sample, the same each time", "[stage]") {
  World world(400);
  world.settings.mutable_corpus()->set_max_pairs(10);
  world.settings.set_seed(5);
  REQUIRE(world.Run().ok());
  CHECK(world.File("pairs", {"user_id"}).size() == 10);
  REQUIRE(world.Run("again").ok());
  CHECK(ReadArtifact(world.dir.path() / "corpus")->digest() ==
        ReadArtifact(world.dir.path() / "again")->digest());
}

TEST_CASE("Without dates only training entities are in the corpus", "[stage]") {
  World world(60);
  auto* hash = world.spec.mutable_split()->mutable_hash();
  hash->set_column("user");
  hash->set_validation_fraction(0.3);
  hash->set_test_fraction(0.3);
  hash->set_seed(2);
  world.spec.mutable_impressions()->clear_order_column();
  REQUIRE(world.Run().ok());
  std::set<std::string> users;
  for (const auto& row : world.File("users", {"id"})) users.insert(row[0]);
  const auto split = Splitter::Create(world.spec.split());
  REQUIRE(split.ok());
  for (const char* user : {"1", "2", "3"}) {
    CHECK(users.count(user) == (split->OfValue(user) == Part::kTrain));
  }
  CHECK_FALSE(world.File("pairs", {"user_id"}).empty());
}

// The steps that progress.jsonl tells of, in order.
std::vector<int> Reported(const World& world) {
  std::istringstream lines(
      ReadFile(world.dir.path() / "corpus.work/progress.jsonl").value());
  std::vector<int> steps;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    CHECK(json["total"] == 5);
    CHECK(json["throughput"] > 0);
    CHECK(json["unit"] == "impressions/s");
    steps.push_back(json["step"]);
  }
  return steps;
}

TEST_CASE("A killed corpus goes on at its next step", "[stage]") {
  World world;
  REQUIRE(world.Run().ok());
  const fs::path corpus = world.dir.path() / "corpus",
                 steps = world.dir.path() / "corpus.work/steps";
  const std::string whole = ReadArtifact(corpus)->digest();
  CHECK(Reported(world) == std::vector{1, 2, 3, 4, 5});
  // As a kill in the fourth step leaves it.
  auto json = nlohmann::ordered_json::parse(*ReadFile(steps / "steps.json"));
  json["count"] = 3;
  for (const char* later : {"pois", "descriptions", "descriptions_held_out",
                            "pois_without_description"}) {
    json["notes"].erase(later);
  }
  REQUIRE(WriteFileAtomically(steps / "steps.json", json.dump()).ok());
  REQUIRE(WriteFileAtomically(steps / "pois.parquet", "half a file").ok());
  fs::remove(steps / "descriptions.parquet");
  fs::remove_all(corpus);

  SECTION("on the same data") {
    REQUIRE(world.Run().ok());
    CHECK(Reported(world) == std::vector{1, 2, 3, 4, 5, 4, 5});
    CHECK(ReadArtifact(corpus)->digest() == whole);
  }
  SECTION("but not on other data") {
    testing::WriteParquet(
        testing::TinyFile(world.dir.path(), "impressions", "2024-01-02"),
        testing::TinyImpressionColumns(), testing::TinyImpressions(1, 40));
    REQUIRE(world.Run().ok());
    CHECK(Reported(world) == std::vector{1, 2, 3, 4, 5, 1, 2, 3, 4, 5});
    CHECK(ReadArtifact(corpus)->digest() != whole);
  }
}

TEST_CASE("Wrong settings and data end the stage with nothing written",
          "[stage]") {
  World world;
  SECTION("a column of the contrast that nothing reads") {
    world.settings.mutable_contrast()->set_same_value_column("town");
    CHECK_THAT(world.Run().ToString(), Catch::Contains("`town`"));
  }
  SECTION("a recommender that reads what the dataset lacks") {
    auto& align = *world.settings.add_align();
    align.set_name("larr");
    align.mutable_architecture()->set_kind(config::v1::CtrArchitecture::LARR);
    world.spec.clear_user_embedding_features();
    world.spec.clear_poi_embedding_features();
    CHECK_THAT(world.Run().ToString(),
               Catch::Contains("`align` named `larr`") &&
                   Catch::Contains("`user_embedding_features`"));
  }
  SECTION("a wrong label") {
    auto rows = testing::TinyImpressions(5, 12);
    rows[2][6] = int64_t{7};
    testing::WriteParquet(
        testing::TinyFile(world.dir.path(), "impressions", "2024-01-06"),
        testing::TinyImpressionColumns(), rows);
    CHECK_THAT(world.Run().ToString(), Catch::Contains("row 3"));
  }
  CHECK_FALSE(fs::exists(world.dir.path() / "corpus"));
}

}  // namespace
}  // namespace larr::stage
