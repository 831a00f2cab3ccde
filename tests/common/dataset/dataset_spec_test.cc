// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_spec.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using config::v1::DatasetSpec;

TEST_CASE("A spec opens with the files it names", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  std::ofstream(dir.path() / "dataset.textproto")
      << ToTextProto(testing::TinySpec());
  const auto dataset = OpenDataset(dir.path() / "dataset.textproto");
  INFO(dataset.status().ToString());
  REQUIRE(dataset.ok());
  CHECK(dataset->impressions.size() == 6);
  CHECK(dataset->days() == testing::TinyDays());
  CHECK(dataset->spec.users().path() == (dir.path() / "users").string());
  CHECK(dataset->entity_table(Table::kPois)->key() == "id");
}

TEST_CASE("A wrong spec is refused before work starts", "[dataset]") {
  const testing::TempDir dir;
  testing::WriteTinyTables(dir.path());
  const auto refused = [&](auto change) {
    DatasetSpec spec = testing::TinySpec();
    change(spec);
    const auto dataset = OpenDataset(spec, dir.path());
    REQUIRE_FALSE(dataset.ok());
    return dataset.status().ToString();
  };
  using Catch::Contains;

  CHECK_THAT(refused([](auto& s) { s.set_name("Tiny City"); }),
             Contains("name: `Tiny City`"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_impressions()->clear_click_column(); }),
      Contains("impressions.click_column is missing"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_impressions()->set_path("elsewhere"); }),
      Contains("elsewhere: no such file or folder"));
  CHECK_THAT(refused([](auto& s) { s.mutable_users()->set_key("uid"); }),
             Contains("users.key reads column `uid`, which does not exist; "
                      "use one of: id, city"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_keywords(0)->set_template_("{nmae}"); }),
      Contains("pois/date=2024-01-01/part-0.parquet: keyword name "
               "reads column `nmae`"));
  CHECK_THAT(
      refused([](auto& s) {
        s.mutable_tabular_features(1)->mutable_dense()->set_column("city");
      }),
      Contains("feature orders needs a number, but column `city`"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_tabular_features(1)->set_name("hour"); }),
      Contains("feature hour: the name appears twice"));
  CHECK_THAT(refused([](auto& s) { s.clear_users(); }),
             Contains("reads the table users, which the spec does not have"));
  CHECK_THAT(refused([](auto& s) { s.mutable_impressions()->clear_poi_key(); }),
             Contains("impressions.poi_key is missing"));
  CHECK_THAT(refused([](auto& s) { s.set_gauc_group_column("who"); }),
             Contains("gauc_group_column reads column `who`"));
  CHECK_THAT(refused([](auto& s) { s.set_user_embedding_features(0, "hour"); }),
             Contains("`hour` is not a categorical feature of side USER"));
  CHECK_THAT(refused([](auto& s) {
               s.mutable_split()->mutable_dates()->set_test_begin("soon");
             }),
             Contains("split.dates.test_begin"));
  CHECK_THAT(refused([](auto& s) {
               auto* hour = s.mutable_tabular_features(3);
               hour->mutable_vocabulary()->set_column("order");
             }),
             Contains("feature hour: column `order` is a label"));
  CHECK_THAT(
      refused([](auto& s) { s.mutable_users()->set_from_impressions(true); }),
      Contains("users.key is `id`, impressions.user_key is `user`"));
  CHECK_THAT(refused([&](auto& s) {
               s.mutable_impressions()->set_path(
                   "impressions/date=2024-01-01/part-0.parquet");
             }),
             Contains("has no date=YYYY-MM-DD folders"));

  SECTION("one file of many that lacks a column is found") {
    const auto path = testing::TinyFile(dir.path(), "pois", "2024-01-04");
    testing::WriteParquet(path, {{"id", ColumnType::kString}},
                          {{std::string("p0")}});
    CHECK_THAT(refused([](auto&) {}), Contains("date=2024-01-04"));
  }
  SECTION("a file that is not Parquet is named") {
    std::ofstream(testing::TinyFile(dir.path(), "users", "2024-01-02")) << "?";
    CHECK_THAT(refused([](auto&) {}),
               Contains("users/date=2024-01-02/part-0.parquet: cannot be"));
  }
  SECTION("a text proto with an unknown field is named with its line") {
    std::ofstream(dir.path() / "d.textproto") << "name: \"x\"\nnmae: 1\n";
    CHECK_THAT(OpenDataset(dir.path() / "d.textproto").status().ToString(),
               Contains("nmae"));
  }
}

}  // namespace
}  // namespace larr
