// SPDX-License-Identifier: Apache-2.0
#include "common/rocks/rocks_status.h"

#include <rocksdb/db.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

TEST_CASE("FromRocks keeps success, code and message", "[rocks]") {
  CHECK(FromRocks(rocksdb::Status::OK(), "x").ok());
  const struct {
    rocksdb::Status from;
    absl::StatusCode to;
  } cases[] = {
      {rocksdb::Status::NotFound("k"), absl::StatusCode::kNotFound},
      {rocksdb::Status::Corruption("k"), absl::StatusCode::kDataLoss},
      {rocksdb::Status::NoSpace("k"), absl::StatusCode::kResourceExhausted},
      {rocksdb::Status::IOError("k"), absl::StatusCode::kUnavailable},
      {rocksdb::Status::Busy("k"), absl::StatusCode::kUnavailable},
      {rocksdb::Status::InvalidArgument("k"),
       absl::StatusCode::kInvalidArgument},
      {rocksdb::Status::Aborted("k"), absl::StatusCode::kAborted},
  };
  for (const auto& c : cases) {
    const absl::Status status = FromRocks(c.from, "reading run r1");
    CHECK(status.code() == c.to);
    CHECK(std::string(status.message()).find("reading run r1: ") == 0);
  }
}

TEST_CASE("FromRocks names what a real database says", "[rocks]") {
  const testing::TempDir dir;
  rocksdb::DB* db = nullptr;
  rocksdb::Options options;
  const std::string path = dir.path() / "db";
  CHECK_FALSE(
      FromRocks(rocksdb::DB::OpenForReadOnly(options, path, &db), path).ok());
  options.create_if_missing = true;
  REQUIRE(FromRocks(rocksdb::DB::Open(options, path, &db), path).ok());
  const std::unique_ptr<rocksdb::DB> first(db);
  CHECK(first->Put(SyncedWrite(), "k", "v").ok());
  // The lock is held: another process may let go of it.
  CHECK(FromRocks(rocksdb::DB::Open(options, path, &db), path).code() ==
        absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace larr
