// SPDX-License-Identifier: Apache-2.0
//
// Writes small cities and reads them back as any reader of the dataset would.
#include "examples/city/generator.h"

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/dataset/dataset_spec.h"
#include "common/dataset/entity_snapshots.h"
#include "common/dataset/parquet_reader.h"
#include "tests/testing/temp_dir.h"

namespace larr::city {
namespace {

namespace fs = std::filesystem;

void Generate(const CityOptions& options, const fs::path& out) {
  const absl::Status status = GenerateCity(
      options, out,
      [](const std::string&, int64_t) { return absl::OkStatus(); });
  INFO(status.ToString());
  REQUIRE(status.ok());
}

std::map<std::string, std::string> Hashes(const fs::path& folder) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    hashes[fs::relative(entry.path(), folder).string()] =
        *Sha256File(entry.path());
  }
  return hashes;
}

// Calls `row(view of the columns, row)` for each row of a file.
template <typename F>
void ForEachRow(const fs::path& path, const std::vector<std::string>& names,
                F row) {
  const auto file = ParquetFile::Open(path);
  REQUIRE(file.ok());
  for (int g = 0; g < file->row_groups(); ++g) {
    const auto group = file->Read(g, names);
    REQUIRE(group.ok());
    for (int64_t i = 0; i < group->rows(); ++i) row(*group, i);
  }
}

std::vector<std::string> Dates(const fs::path& table) {
  std::vector<std::string> dates;
  for (const auto& entry : fs::directory_iterator(table)) {
    dates.push_back(entry.path().filename().string().substr(5));
  }
  std::sort(dates.begin(), dates.end());
  return dates;
}

fs::path Part(const fs::path& table, const std::string& date) {
  return table / ("date=" + date) / "part-0.parquet";
}

TEST_CASE("The same seed gives the same bytes at any number of threads",
          "[city]") {
  const testing::TempDir dir;
  CityOptions options{
      .seed = 5, .pois = 240, .users = 100, .impressions = 60000};
  Generate(options, dir.path() / "one");
  options.threads = 4;
  Generate(options, dir.path() / "four");
  const auto one = Hashes(dir.path() / "one");
  CHECK(one.size() == 3 * 18 + 3);
  CHECK(one == Hashes(dir.path() / "four"));
  options.seed = 6;
  Generate(options, dir.path() / "other");
  CHECK(one.at("impressions/date=2025-04-05/part-0.parquet") !=
        Hashes(dir.path() / "other")
            .at("impressions/date=2025-04-05/part-0.parquet"));
}

TEST_CASE("A whole city is kept, anything else in its place refused",
          "[city]") {
  const testing::TempDir dir;
  const fs::path out = dir.path() / "city";
  CityOptions options{.pois = 36, .users = 5, .impressions = 2000};
  fs::create_directories(dir.path() / "city.partial" / "left over");
  Generate(options, out);
  CHECK_FALSE(fs::exists(dir.path() / "city.partial"));
  const auto time = fs::last_write_time(out / "city.json");
  Generate(options, out);
  CHECK(fs::last_write_time(out / "city.json") == time);
  options.users = 6;
  CHECK(absl::IsFailedPrecondition(GenerateCity(options, out, {})));
  options.pois = 35;
  CHECK_THAT(GenerateCity(options, dir.path() / "x", {}).ToString(),
             Catch::Contains("pois is 35"));
}

TEST_CASE("Whoever watches may end the work", "[city]") {
  const testing::TempDir dir;
  int days = 0;
  const absl::Status status = GenerateCity(
      CitySizes().at("tiny"), dir.path() / "city",
      [&](const std::string&, int64_t rows) {
        CHECK(rows > 0);
        return ++days < 3 ? absl::OkStatus() : absl::CancelledError("enough");
      });
  CHECK(status == absl::CancelledError("enough"));
  CHECK(days == 3);
  CHECK_FALSE(fs::exists(dir.path() / "city"));
}

TEST_CASE("The spec fits the files", "[city]") {
  const testing::TempDir dir;
  Generate({.pois = 36, .users = 5, .impressions = 2000}, dir.path() / "city");
  const auto dataset = OpenDataset(dir.path() / "city" / "dataset.textproto");
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  CHECK(dataset->days().size() == 18);
  CHECK(dataset->spec.scene_features_size() == 10);
  const auto truth = OpenDataset(dir.path() / "city/dataset_truth.textproto");
  INFO(truth.status().ToString());
  REQUIRE(truth.ok());
  CHECK(truth->spec.tabular_features_size() ==
        dataset->spec.tabular_features_size() + 4 + 5 + 17);
}

TEST_CASE("Rates, bounds and labels are plausible", "[city]") {
  const testing::TempDir dir;
  const fs::path out = dir.path() / "city";
  Generate({.seed = 2,
            .pois = 600,
            .users = 600,
            .impressions = 200000,
            .threads = 2},
           out);
  const auto json = nlohmann::json::parse(*ReadFile(out / "city.json"));
  for (const char* part : {"train", "test"}) {
    const auto& p = json["parts"][part];
    CHECK(p["ctr"].get<double>() == Approx(0.14).margin(0.025));
    CHECK(p["ctcvr"].get<double>() == Approx(0.044).margin(0.012));
    CHECK(p["bayes_ctr_auc"].get<double>() == Approx(0.80).margin(0.03));
    CHECK(p["bayes_ctcvr_auc"].get<double>() == Approx(0.855).margin(0.03));
  }
  CHECK(json["parts"]["train"]["rows"].get<double>() ==
        Approx(110000).epsilon(0.01));

  // Order implies click; true probabilities are those of the labels; clicks
  // fall with the position and the distance.
  std::map<int, std::pair<double, double>> by_position;  // clicks, rows
  double near = 0, near_rows = 0, far = 0, far_rows = 0, truth = 0, clicks = 0;
  for (const std::string& date : Dates(out / "impressions")) {
    ForEachRow(
        Part(out / "impressions", date),
        {"click", "order", "position", "distance_km", "true_ctr", "true_ctcvr"},
        [&](const RowGroup& g, int64_t i) {
          const double click = g.column(0).Number(i);
          if (g.column(1).Number(i) > click) FAIL("order without click");
          if (g.column(5).Number(i) > g.column(4).Number(i)) {
            FAIL("P(click and order) above P(click)");
          }
          auto& [c, n] = by_position[static_cast<int>(g.column(2).Integer(i))];
          c += click;
          n += 1;
          const bool is_near = g.column(3).Number(i) < 1.5;
          (is_near ? near : far) += click;
          (is_near ? near_rows : far_rows) += 1;
          truth += g.column(4).Number(i);
          clicks += click;
        });
  }
  CHECK(clicks == Approx(truth).epsilon(0.02));
  CHECK(by_position.size() == 10);
  CHECK(by_position[0].first / by_position[0].second >
        1.2 * by_position[9].first / by_position[9].second);
  CHECK(near / near_rows > 1.1 * far / far_rows);
}

// What one entity was in, before a day.
struct Past {
  int64_t impressions = 0, clicks = 0, orders = 0;
};

TEST_CASE("Partitions count the days before and nothing later", "[city]") {
  const testing::TempDir dir;
  const fs::path out = dir.path() / "city";
  Generate({.seed = 4, .pois = 120, .users = 40, .impressions = 20000}, out);
  std::map<std::string, Past> users, pois;
  int64_t checked = 0;
  for (const std::string& date : Dates(out / "impressions")) {
    for (const bool user : {true, false}) {
      auto& past = user ? users : pois;
      ForEachRow(
          Part(out / (user ? "users" : "pois"), date),
          {user ? "user_id" : "poi_id", "past_impressions", "past_orders",
           "past_ctr"},
          [&](const RowGroup& g, int64_t i) {
            const Past& p = past[std::string(g.column(0).String(i))];
            if (g.column(1).Integer(i) != p.impressions ||
                g.column(2).Integer(i) != p.orders ||
                std::abs(g.column(3).Number(i) -
                         (static_cast<double>(p.clicks) + 2.8) /
                             (static_cast<double>(p.impressions) + 20)) >
                    1e-12) {
              FAIL("partition " << date << " of " << g.column(0).String(i));
            }
            ++checked;
          });
    }
    ForEachRow(Part(out / "impressions", date),
               {"user_id", "poi_id", "click", "order"},
               [&](const RowGroup& g, int64_t i) {
                 for (Past* p : {&users[std::string(g.column(0).String(i))],
                                 &pois[std::string(g.column(1).String(i))]}) {
                   ++p->impressions;
                   p->clicks += g.column(2).Integer(i);
                   p->orders += g.column(3).Integer(i);
                 }
               });
  }
  CHECK(checked > 18 * 100);
}

TEST_CASE("Every impression finds its user and its POI", "[city]") {
  const testing::TempDir dir;
  Generate({.pois = 120, .users = 40, .impressions = 10000},
           dir.path() / "city");
  const auto dataset = OpenDataset(dir.path() / "city" / "dataset.textproto");
  REQUIRE(dataset.ok());
  EntitySnapshots users(*dataset, Table::kUsers), pois(*dataset, Table::kPois);
  int rows = 0;
  for (const std::string& date : dataset->days()) {
    const auto u = users.At(date), p = pois.At(date);
    REQUIRE((u.ok() && p.ok()));
    ForEachRow(Part(dir.path() / "city" / "impressions", date),
               {"user_id", "poi_id"}, [&](const RowGroup& g, int64_t i) {
                 ++rows;
                 if ((*u)->Find(g.column(0).String(i)) < 0 ||
                     (*p)->Find(g.column(1).String(i)) < 0) {
                   FAIL("an impression of " << date << " joins nothing");
                 }
               });
  }
  CHECK(rows > 9000);
}

}  // namespace
}  // namespace larr::city
