// SPDX-License-Identifier: Apache-2.0
#include "common/base/files.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/testing/temp_dir.h"

namespace larr {

TEST_CASE("WriteFileAtomically replaces a file and leaves nothing aside",
          "[base]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a.txt";
  REQUIRE(WriteFileAtomically(path, "one").ok());
  REQUIRE(WriteFileAtomically(path, "two").ok());
  CHECK(ReadFile(path).value() == "two");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) ==
        1);
}

TEST_CASE("Of many writers of one path each leaves a whole file", "[base]") {
  const testing::TempDir dir;
  const auto path = dir.path() / "a";
  std::atomic<int> failed = 0, torn = 0;
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&, letter] {
      for (int i = 0; i < 50; ++i) {
        failed += !WriteFileAtomically(path, std::string(10'000, letter)).ok();
        const auto text = ReadFile(path);
        torn += !text.ok() || *text != std::string(10'000, (*text)[0]);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(failed == 0);
  CHECK(torn == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) ==
        1);
}

TEST_CASE("An empty file and bytes of every value survive", "[base]") {
  const testing::TempDir dir;
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const std::string& bytes : {std::string(), all}) {
    REQUIRE(WriteFileAtomically(dir.path() / "b", bytes).ok());
    CHECK(ReadFile(dir.path() / "b").value() == bytes);
  }
}

TEST_CASE("A failed write names the path and keeps the old content", "[base]") {
  const testing::TempDir dir;
  const auto missing = dir.path() / "no" / "file";
  const absl::Status status = WriteFileAtomically(missing, "x");
  CHECK(absl::IsNotFound(status));
  CHECK(std::string(status.message()).find(missing.string()) !=
        std::string::npos);

  const auto path = dir.path() / "file";
  REQUIRE(WriteFileAtomically(path, "old").ok());
  CHECK(
      absl::IsInternal(WriteFileAtomically(path, [](const AppendBytes& append) {
        CHECK(append("half").ok());
        return absl::InternalError("no more");
      })));
  CHECK(ReadFile(path).value() == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) ==
        1);

  errno = ENOSPC;
  const absl::Status full = ErrnoStatus("cannot write", "/some/file");
  CHECK(absl::IsResourceExhausted(full));
}

TEST_CASE("A folder is made with those above it, once", "[base]") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "a" / "b";
  CHECK(MakeFolder(folder).ok());
  CHECK(std::filesystem::is_directory(folder));
  CHECK(MakeFolder(folder).ok());

  REQUIRE(WriteFileAtomically(dir.path() / "file", "x").ok());
  const absl::Status status = MakeFolder(dir.path() / "file" / "c");
  CHECK(absl::IsNotFound(status));
  CHECK(std::string(status.message()).find("file/c") != std::string::npos);
}

TEST_CASE("A file is linked to a name that is free", "[base]") {
  const testing::TempDir dir;
  const auto file = dir.path() / "file";
  REQUIRE(WriteFileAtomically(file, "x").ok());
  REQUIRE(LinkFile(file, dir.path() / "link").ok());
  CHECK(ReadFile(dir.path() / "link").value() == "x");
  CHECK(std::filesystem::hard_link_count(file) == 2);

  REQUIRE(WriteFileAtomically(dir.path() / "other", "y").ok());
  CHECK_FALSE(LinkFile(file, dir.path() / "other").ok());
  CHECK(ReadFile(dir.path() / "other").value() == "y");
  CHECK(absl::IsNotFound(LinkFile(dir.path() / "none", dir.path() / "new")));
}

TEST_CASE("Sha256 agrees with the published vectors", "[base]") {
  // FIPS 180-4, examples for SHA-256.
  CHECK(Sha256("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256("") ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const testing::TempDir dir;
  const std::string big(3 << 20, 'x');
  REQUIRE(WriteFileAtomically(dir.path() / "big", big).ok());
  CHECK(Sha256File(dir.path() / "big").value() == Sha256(big));
  CHECK(absl::IsNotFound(Sha256File(dir.path() / "none").status()));
}

}  // namespace larr
