// SPDX-License-Identifier: Apache-2.0
#include "services/stage/scores_file.h"

#include <catch2/catch.hpp>

#include "common/dataset/parquet_reader.h"
#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

Impression Shown(const std::string& date, const std::string& request,
                 const std::string& poi) {
  Impression row;
  row.date = date;
  row.request_id = request;
  row.user_id = "u";
  row.poi_id = poi;
  row.click = 1;
  return row;
}

TEST_CASE("scores lie beside their rows") {
  const testing::TempDir dir;
  const auto path = dir.path() / "scores.parquet";
  auto file = ScoresFile::Create(path, {{"both", true}, {"ctr", false}});
  REQUIRE(file.ok());
  const std::vector<Impression> first = {Shown("d1", "r1", "a"),
                                         Shown("d1", "r2", "b")};
  REQUIRE(file->Append(first, {torch::tensor({{0.25, 0.125}, {0.5, 0.25}},
                                             torch::kFloat32),
                               torch::tensor({{0.75}, {1.0}}, torch::kFloat32)})
              .ok());
  // A request goes on in the next batch; a day later its name is another one's.
  const std::vector<Impression> second = {Shown("d1", "r1", "c"),
                                          Shown("d2", "r1", "d")};
  REQUIRE(
      file->Append(second, {torch::zeros({2, 2}), torch::ones({2, 1})}).ok());
  REQUIRE(file->Finish().ok());

  const auto parquet = ParquetFile::Open(path).value();
  const RowGroup group = parquet
                             .Read(0, {"poi_id", "position", "click",
                                       "both_ctr", "both_ctcvr", "ctr_ctr"})
                             .value();
  REQUIRE(group.rows() == 4);
  const std::string pois[] = {"a", "b", "c", "d"};
  const int64_t positions[] = {0, 0, 1, 0};
  const double scores[][3] = {
      {0.25, 0.125, 0.75}, {0.5, 0.25, 1}, {0, 0, 1}, {0, 0, 1}};
  for (int64_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(group.column(0).String(i) == pois[i]);
    CHECK(group.column(1).Integer(i) == positions[i]);
    CHECK(group.column(2).Integer(i) == 1);
    for (int task = 0; task < 3; ++task)
      CHECK(group.column(3 + task).Number(i) == scores[i][task]);
  }
  CHECK(parquet.Find("ctr_ctcvr") == nullptr);
}

}  // namespace
}  // namespace larr::stage
