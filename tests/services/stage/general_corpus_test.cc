// SPDX-License-Identifier: Apache-2.0
#include "services/stage/general_corpus.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <set>

#include "tests/testing/temp_dir.h"

namespace larr::stage {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

// `count` documents, `d0` to `d<count - 1>`, in row groups of `group`.
void WriteParquet(const fs::path& path, int count, int group) {
  arrow::StringBuilder text;
  for (int i = 0; i < count; ++i)
    REQUIRE(text.Append("d" + std::to_string(i)).ok());
  arrow::Int64Builder number;
  for (int i = 0; i < count; ++i) REQUIRE(number.Append(i).ok());
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("n", arrow::int64()),
                     arrow::field("body", arrow::utf8())}),
      {number.Finish().ValueOrDie(), text.Finish().ValueOrDie()});
  const auto file = arrow::io::FileOutputStream::Open(path.string());
  REQUIRE(file.ok());
  REQUIRE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(),
                                     *file, group)
              .ok());
}

GeneralCorpus Open(const fs::path& path, uint64_t seed = 1) {
  auto corpus = GeneralCorpus::Open(path, "body", seed);
  INFO(corpus.status().ToString());
  REQUIRE(corpus.ok());
  return *std::move(corpus);
}

Texts Pass(GeneralCorpus& corpus, int64_t pass) {
  Texts texts;
  for (int64_t i = 0; i < corpus.size(); ++i) {
    const auto document = corpus.At(pass * corpus.size() + i);
    REQUIRE(document.ok());
    texts.push_back(document->text);
  }
  return texts;
}

Texts HeldOut(const GeneralCorpus& corpus) {
  const auto documents = corpus.HeldOut();
  REQUIRE(documents.ok());
  Texts texts;
  for (const auto& document : *documents) texts.push_back(document.text);
  return texts;
}

void CheckPasses(const fs::path& path, int64_t documents) {
  auto corpus = Open(path);
  const auto held_out = HeldOut(corpus);
  CHECK(static_cast<int64_t>(held_out.size()) ==
        std::min<int64_t>(100, documents / 10));
  CHECK(corpus.size() + static_cast<int64_t>(held_out.size()) == documents);
  const Texts first = Pass(corpus, 0), second = Pass(corpus, 1);
  CHECK(first != second);
  // All of what trains, once a pass, and nothing that is held out.
  std::set<std::string> all(first.begin(), first.end());
  CHECK(all.size() == first.size());
  CHECK(std::set<std::string>(second.begin(), second.end()) == all);
  all.insert(held_out.begin(), held_out.end());
  CHECK(static_cast<int64_t>(all.size()) == documents);
  // Any position alone is what the whole pass had there.
  for (const int64_t i :
       {corpus.size() / 2, int64_t{0}, corpus.size() - 1, int64_t{3}}) {
    CHECK(Open(path).At(i)->text == first[i]);
    CHECK(corpus.At(corpus.size() + i)->text == second[i]);
  }
  auto other = Open(path, 2);
  CHECK(Pass(other, 0) != first);
  CHECK(HeldOut(other) == held_out);
}

TEST_CASE("A Parquet corpus is gone through once a pass, a row group at once") {
  const testing::TempDir dir;
  const auto path = dir.path() / "general.parquet";
  WriteParquet(path, 250, 32);
  CheckPasses(path, 250);
  WriteParquet(path, 2000, 128);
  CheckPasses(path, 2000);
  CHECK_THAT(Open(path).At(0)->where,
             Catch::Contains("general.parquet: document "));
}

TEST_CASE("A text corpus is gone through once a pass, some lines at once") {
  const testing::TempDir dir;
  const auto path = dir.path() / "general.txt";
  // 9 MB: three groups.
  std::ofstream file(path);
  for (int i = 0; i < 900; ++i)
    file << i << std::string(10'000, 'x') << (i % 7 == 0 ? "\n\n" : "\n");
  file.close();
  CheckPasses(path, 900);
}

TEST_CASE("A small corpus holds nothing out, and a missing one is named") {
  const testing::TempDir dir;
  const auto path = dir.path() / "general.txt";
  const auto message = [](const fs::path& file, const std::string& column) {
    return GeneralCorpus::Open(file, column, 1).status().ToString();
  };
  CHECK_THAT(message(path, ""),
             Catch::Contains("general.txt cannot be opened"));
  std::ofstream(path) << "\n\n";
  CHECK_THAT(message(path, ""), Catch::Contains("has no document"));
  std::ofstream(path) << "a\n\nb";
  auto corpus = Open(path);
  CHECK(corpus.size() == 2);
  CHECK(HeldOut(corpus).empty());
  CHECK(std::set<std::string>{corpus.At(0)->text, corpus.At(1)->text} ==
        std::set<std::string>{"a", "b"});
  // It is read a group at a time: one that shrinks meanwhile is noticed.
  auto changed = Open(path);
  std::ofstream(path) << "a";
  CHECK(absl::IsDataLoss(changed.At(0).status()));

  WriteParquet(dir.path() / "x.parquet", 10, 10);
  CHECK_THAT(message(dir.path() / "x.parquet", "text"),
             Catch::Contains("`pretrain.general_text_column` is text; in ") &&
                 Catch::Contains("that is no column"));
  CHECK_THAT(message(dir.path() / "x.parquet", "n"),
             Catch::Contains("that is of type int64"));
}

}  // namespace
}  // namespace larr::stage
