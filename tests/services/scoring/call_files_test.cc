// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/call_files.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/files.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using scoring::v1::LoggedCall;

LoggedCall Call(int i) {
  LoggedCall call;
  call.set_request_id("request " + std::to_string(i));
  call.mutable_request()->set_user_id(std::string(200, 'u'));
  call.add_scores()->set_ctr(0.25F);
  return call;
}

std::unique_ptr<CallFileWriter> Writer(const CallFilesOptions& options) {
  auto writer = CallFileWriter::Create(options);
  REQUIRE(writer.ok());
  return *std::move(writer);
}

std::vector<std::filesystem::path> Files(const std::filesystem::path& folder) {
  const auto files = ListCallFiles(folder);
  REQUIRE(files.ok());
  return *files;
}

struct Content {
  std::vector<std::string> ids;
  absl::Status status;
  int64_t torn_bytes = 0;
};

Content Read(const std::filesystem::path& path) {
  Content content;
  auto reader = CallFileReader::Open(path);
  REQUIRE(reader.ok());
  while (true) {
    const auto call = reader->Next();
    content.status = call.status();
    content.torn_bytes = reader->torn_bytes();
    if (!call.ok() || !call->has_value()) return content;
    content.ids.push_back((*call)->request_id());
  }
}

TEST_CASE("Calls are read as they were written", "[scoring]") {
  const testing::TempDir dir;
  const auto folder = dir.path() / "a" / "log";
  const auto writer = Writer({.folder = folder});
  CHECK(Files(folder).empty());
  for (int i = 0; i < 3; ++i)
    REQUIRE(writer->Append(Call(i).SerializeAsString()).ok());
  REQUIRE(Files(folder).size() == 1);
  auto reader = CallFileReader::Open(Files(folder)[0]);  // while it is open
  REQUIRE(reader.ok());
  for (int i = 0; i < 3; ++i) {
    const auto call = reader->Next();
    REQUIRE((call.ok() && call->has_value()));
    CHECK((*call)->SerializeAsString() == Call(i).SerializeAsString());
  }
  CHECK_FALSE((*reader->Next()).has_value());
  CHECK(reader->torn_bytes() == 0);

  struct stat info {};
  REQUIRE(stat(folder.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  REQUIRE(stat(Files(folder)[0].c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("Files are as large as they may be, and the oldest ones go",
          "[scoring]") {
  const testing::TempDir dir;
  const int64_t bytes = 12 + static_cast<int64_t>(Call(0).ByteSizeLong());
  const CallFilesOptions options{
      .folder = dir.path(), .max_file_bytes = 2 * bytes + 1, .max_files = 3};
  std::ofstream(dir.path() / "notes.txt") << "not ours";
  {
    const auto writer = Writer(options);
    for (int i = 0; i < 9; ++i)
      REQUIRE(writer->Append(Call(i).SerializeAsString()).ok());
  }
  auto files = Files(dir.path());
  REQUIRE(files.size() == 3);  // 4 5, 6 7, 8
  CHECK(Read(files[0]).ids.front() == "request 4");
  CHECK(Read(files[2]).ids == std::vector<std::string>{"request 8"});
  for (const auto& file : files) {
    CHECK(static_cast<int64_t>(std::filesystem::file_size(file)) <=
          options.max_file_bytes);
  }
  // The next process begins a file of its own, also if the clock went back.
  const auto future = dir.path() / "calls-999999999999998.larrlog";
  std::filesystem::rename(files[2], future);
  const auto writer = Writer(options);
  REQUIRE(writer->Append(Call(9).SerializeAsString()).ok());
  files = Files(dir.path());
  REQUIRE(files.size() == 3);
  CHECK(files[1] == future);
  CHECK(Read(files[2]).ids == std::vector<std::string>{"request 9"});
  CHECK(std::filesystem::exists(dir.path() / "notes.txt"));
}

TEST_CASE("A call larger than a file is a file", "[scoring]") {
  const testing::TempDir dir;
  const auto writer = Writer({.folder = dir.path(), .max_file_bytes = 10});
  REQUIRE(writer->Append(Call(0).SerializeAsString()).ok());
  REQUIRE(writer->Append(Call(1).SerializeAsString()).ok());
  CHECK(Files(dir.path()).size() == 2);
}

TEST_CASE("A torn end is tolerated wherever it is", "[scoring]") {
  const testing::TempDir dir;
  {
    const auto writer = Writer({.folder = dir.path()});
    REQUIRE(writer->Append(Call(0).SerializeAsString()).ok());
    REQUIRE(writer->Append(Call(1).SerializeAsString()).ok());
  }
  const auto path = Files(dir.path())[0];
  const std::string whole = *ReadFile(path);
  const size_t record = whole.size() / 2;
  for (size_t size = 0; size <= whole.size(); ++size) {
    CAPTURE(size);
    REQUIRE(WriteFileAtomically(path, whole.substr(0, size)).ok());
    const Content content = Read(path);
    CHECK(content.status.ok());
    CHECK(content.ids.size() == size / record);
    CHECK(content.torn_bytes == static_cast<int64_t>(size % record));
  }
  // Blocks that were allocated and never written.
  REQUIRE(WriteFileAtomically(path, whole + std::string(100, '\0')).ok());
  CHECK(Read(path).ids.size() == 2);
  CHECK(Read(path).torn_bytes == 100);
}

TEST_CASE("A damaged byte is never read as a call", "[scoring]") {
  const testing::TempDir dir;
  {
    const auto writer = Writer({.folder = dir.path()});
    REQUIRE(writer->Append(Call(0).SerializeAsString()).ok());
    REQUIRE(writer->Append(Call(1).SerializeAsString()).ok());
  }
  const auto path = Files(dir.path())[0];
  const std::string whole = *ReadFile(path);
  for (size_t i = 0; i < whole.size() / 2; ++i) {
    CAPTURE(i);
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    REQUIRE(WriteFileAtomically(path, damaged).ok());
    const Content content = Read(path);
    CHECK(content.ids.empty());
    if (i < 4) continue;  // the length: it may reach to the end
    REQUIRE(absl::IsDataLoss(content.status));
    CHECK_THAT(std::string(content.status.message()),
               Catch::Contains(path.string() + ": the record at byte 0"));
  }
}

TEST_CASE("A folder that cannot be used is refused at the start", "[scoring]") {
  const testing::TempDir dir;
  std::ofstream(dir.path() / "file") << "x";
  CHECK_FALSE(CallFileWriter::Create({.folder = dir.path() / "file"}).ok());
  CHECK_FALSE(CallFileWriter::Create({.folder = dir.path() / "file/log"}).ok());
  CHECK(absl::IsNotFound(ListCallFiles(dir.path() / "none").status()));
}

}  // namespace
}  // namespace larr
