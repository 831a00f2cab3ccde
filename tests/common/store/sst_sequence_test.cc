// SPDX-License-Identifier: Apache-2.0
#include "common/store/sst_sequence.h"

#include <rocksdb/sst_file_reader.h>

#include <catch2/catch.hpp>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("SstSequence writes nothing for no keys and refuses a wrong order",
          "[store]") {
  const testing::TempDir dir;
  SstSequence empty(kText, dir.path());
  CHECK(empty.Finish()->empty());

  SstSequence sequence(kEntity, dir.path());
  REQUIRE(sequence.Put("b", "1").ok());
  CHECK_FALSE(sequence.Put("a", "2").ok());
  REQUIRE(sequence.Put("c", "3").ok());
  const auto files = sequence.Finish();
  REQUIRE(files.ok());
  REQUIRE(files->size() == 1);
  CHECK(std::filesystem::file_size(files->front()) > 0);
}

TEST_CASE("A full file is followed by the next, and no key is lost between",
          "[store]") {
  const testing::TempDir dir;
  SstSequence sequence(kText, dir.path(), /*file_bytes=*/10'000);
  const auto value = [](int i) { return std::string(1000, 'a' + i % 26); };
  for (int i = 0; i < 100; ++i)
    REQUIRE(sequence.Put(std::to_string(1000 + i), value(i)).ok());
  const auto files = sequence.Finish();
  REQUIRE(files.ok());
  CHECK(files->size() > 5);
  int keys = 0;
  for (const std::string& file : *files) {
    rocksdb::SstFileReader reader(OptionsOf(kText));
    REQUIRE(reader.Open(file).ok());
    const std::unique_ptr<rocksdb::Iterator> at(reader.NewIterator({}));
    for (at->SeekToFirst(); at->Valid(); at->Next(), ++keys) {
      CHECK(at->key().ToString() == std::to_string(1000 + keys));
      CHECK(at->value().ToString() == value(keys));
    }
  }
  CHECK(keys == 100);
}

TEST_CASE("SstSequence names the folder it could not write", "[store]") {
  SstSequence sequence(kText, "/nonexistent/folder");
  const auto status = sequence.Put("a", "1");
  CHECK(std::string(status.message()).find("/nonexistent/folder") !=
        std::string::npos);
}

}  // namespace
}  // namespace larr
