// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/labels.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

using Cell = ParquetWriter::Cell;

class LabelsTest {
 public:
  LabelsTest() {
    table_.set_click_column("click");
    table_.set_order_column("order");
    table_.set_true_click_probability_column("truth");
  }

 protected:
  // The labels of a file of one row, as if it were row 7.
  absl::StatusOr<Labels> Read(const Cell& click, const Cell& order,
                              const Cell& truth) {
    const DataFile file{dir_.path() / "day.parquet", ""};
    testing::WriteParquet(file.path,
                          {{"click", ColumnType::kInteger},
                           {"order", ColumnType::kNumber},
                           {"truth", ColumnType::kNumber}},
                          {{click, order, truth}});
    std::vector<std::string> columns = {"truth"};
    const LabelReader labels(table_, columns);
    const auto parquet = ParquetFile::Open(file.path);
    REQUIRE(parquet.ok());
    const auto group = parquet->Read(0, columns);
    REQUIRE(group.ok());
    return labels.Read(*group, 0, file, 7);
  }

  testing::TempDir dir_;
  config::v1::ImpressionTable table_;
};

TEST_CASE_METHOD(LabelsTest, "Labels are read by the spec's columns",
                 "[dataset]") {
  auto labels = Read(int64_t{1}, 1.0, 0.25);
  REQUIRE(labels.ok());
  CHECK(labels->click == 1);
  CHECK(labels->order == 1);
  CHECK(labels->true_click_probability == 0.25f);
  CHECK(std::isnan(labels->true_ctcvr_probability));
  table_.clear_order_column();
  table_.clear_true_click_probability_column();
  labels = Read(int64_t{0}, 5.0, 9.0);
  REQUIRE(labels.ok());
  CHECK(labels->click == 0);
  CHECK(labels->order == 0);
  CHECK(std::isnan(labels->true_click_probability));
}

TEST_CASE_METHOD(LabelsTest, "What is no label is refused by its cell",
                 "[dataset]") {
  const struct {
    Cell click, order, truth;
    const char* message;
  } cases[] = {
      {int64_t{2}, 0.0, 0.5, "column `click`, row 7: the label is 2; write 0"},
      {Cell(), 0.0, 0.5, "column `click`, row 7: the label is null"},
      {int64_t{1}, 0.5, 0.5, "column `order`, row 7: the label is 0.5"},
      {int64_t{0}, 1.0, 0.5, "column `order`, row 7: an order without a click"},
      {int64_t{0}, 0.0, 1.5, "column `truth`, row 7: the probability is 1.5"},
      {int64_t{0}, 0.0, NAN, "column `truth`, row 7: the probability is nan"},
      {int64_t{0}, 0.0, Cell(), "row 7: the probability is null"}};
  for (const auto& c : cases) {
    const auto status = Read(c.click, c.order, c.truth).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(status.ToString(),
               Catch::Contains("day.parquet: ") && Catch::Contains(c.message));
  }
}

}  // namespace
}  // namespace larr
