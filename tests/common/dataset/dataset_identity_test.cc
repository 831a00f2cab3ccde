// SPDX-License-Identifier: Apache-2.0
#include "common/dataset/dataset_identity.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/dataset/dataset_spec.h"
#include "tests/testing/make_newer.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_dataset.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

class DatasetIdentityTest {
 public:
  DatasetIdentityTest() {
    testing::WriteTinyTables(dir_.path());
    Write(testing::TinySpec());
  }

 protected:
  void Write(const config::v1::DatasetSpec& spec) {
    REQUIRE(WriteFileAtomically(spec_file_, ToTextProto(spec)).ok());
  }
  absl::StatusOr<DatasetIdentity> Try() {
    return IdentifyDataset(
        LoadTextProto<config::v1::DatasetSpec>(spec_file_).value(),
        dir_.path());
  }
  DatasetIdentity Identify() {
    const auto identity = Try();
    INFO(identity.status().ToString());
    REQUIRE(identity.ok());
    return *identity;
  }
  int FilesOf(const DatasetIdentity& identity) {
    return static_cast<int>(
        std::count(identity.files.begin(), identity.files.end(), '\n'));
  }

  testing::TempDir dir_;
  fs::path spec_file_ = dir_.path() / "dataset.textproto";
};

TEST_CASE_METHOD(DatasetIdentityTest, "A dataset's spec is the opened one's",
                 "[dataset]") {
  const auto opened = OpenDataset(spec_file_);
  REQUIRE(opened.ok());
  const DatasetIdentity identity = Identify();
  CHECK(ToTextProto(identity.spec) == ToTextProto(opened->spec));
  CHECK(FilesOf(identity) == 3 * static_cast<int>(testing::TinyDays().size()));
  CHECK(Identify().files == identity.files);
}

TEST_CASE_METHOD(DatasetIdentityTest, "A changed file makes it another",
                 "[dataset]") {
  const DatasetIdentity before = Identify();
  const char* table = GENERATE("users", "pois", "impressions");
  const fs::path file =
      testing::TinyFile(dir_.path(), table, testing::TinyDays()[2]);
  SECTION("in time") { testing::MakeNewer(file); }
  SECTION("in bytes") {
    const auto time = fs::last_write_time(file);
    fs::resize_file(file, fs::file_size(file) - 1);
    fs::last_write_time(file, time);
  }
  SECTION("in being there") { fs::remove(file); }
  CHECK(Identify().files != before.files);
}

TEST_CASE_METHOD(DatasetIdentityTest, "Tables that are none have no files",
                 "[dataset]") {
  config::v1::DatasetSpec spec = testing::TinySpec();
  spec.clear_users();
  spec.mutable_pois()->clear_path();
  spec.mutable_pois()->set_from_impressions(true);
  Write(spec);
  CHECK(FilesOf(Identify()) == static_cast<int>(testing::TinyDays().size()));
}

TEST_CASE_METHOD(DatasetIdentityTest, "Without data there is no identity",
                 "[dataset]") {
  fs::remove_all(dir_.path() / "pois");
  CHECK(absl::IsNotFound(Try().status()));
}

}  // namespace
}  // namespace larr
