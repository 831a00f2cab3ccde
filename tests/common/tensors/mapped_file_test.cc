// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/mapped_file.h"

#include <absl/status/status.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("What was forgotten is read from the file again") {
  const testing::TempDir dir;
  const auto path = dir.path() / "x";
  const std::string content(5 * 4096 + 100, 'a');
  std::ofstream(path) << content;
  const auto file = MappedFile::Open(path);
  REQUIRE(file.ok());
  REQUIRE((*file)->size() == content.size());
  CHECK(std::string_view((*file)->bytes(), (*file)->size()) == content);

  // Written only to see which pages go: those that lie wholly within.
  char* bytes = (*file)->bytes();
  for (int page = 0; page < 5; ++page) bytes[page * 4096 + 7] = 'b';
  (*file)->Forget(bytes + 100, 3 * 4096);
  const auto at = [&](int page) { return bytes[page * 4096 + 7]; };
  CHECK(at(0) == 'b');
  CHECK(at(1) == 'a');
  CHECK(at(2) == 'a');
  CHECK(at(3) == 'b');

  // Memory that is not the file's stays as it is.
  const std::vector<char> other(3 * 4096, 'c');
  (*file)->Forget(other.data(), other.size());
  CHECK(other[4096] == 'c');
  std::ifstream again(path);
  std::string on_disk;
  std::getline(again, on_disk);
  CHECK(on_disk == content);
}

TEST_CASE("A file that is missing or empty is an error") {
  const testing::TempDir dir;
  CHECK(absl::IsNotFound(MappedFile::Open(dir.path() / "x").status()));
  std::ofstream(dir.path() / "empty").flush();
  CHECK(absl::IsDataLoss(MappedFile::Open(dir.path() / "empty").status()));
}

}  // namespace
}  // namespace larr
