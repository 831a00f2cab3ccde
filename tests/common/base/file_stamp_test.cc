// SPDX-License-Identifier: Apache-2.0
#include "common/base/file_stamp.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

TEST_CASE("A stamp stays until the file is changed", "[base]") {
  const testing::TempDir dir;
  const fs::path file = dir.path() / "a";
  CHECK(FileStamp(file) == file.string() + " is not there\n");
  std::ofstream(file) << "one";
  const auto time = fs::last_write_time(file);
  const std::string stamp = FileStamp(file);
  CHECK(FileStamp(file) == stamp);
  CHECK(FolderStamp(dir.path()) == stamp);
  SECTION("in bytes") {
    std::ofstream(file) << "three";
    fs::last_write_time(file, time);
  }
  SECTION("in place") {
    fs::last_write_time(file, time + std::chrono::microseconds(1));
  }
  SECTION("to nothing") { fs::remove(file); }
  CHECK(FileStamp(file) != stamp);
  CHECK(FolderStamp(dir.path()) != stamp);
}

TEST_CASE("A folder's stamp has its files by name, and no folders", "[base]") {
  const testing::TempDir dir;
  for (const char* name : {"b", "a"}) std::ofstream(dir.path() / name) << name;
  fs::create_directory(dir.path() / "folder");
  CHECK(FolderStamp(dir.path()) ==
        FileStamp(dir.path() / "a") + FileStamp(dir.path() / "b"));
  CHECK(FolderStamp(dir.path() / "nowhere").empty());
}

}  // namespace
}  // namespace larr
