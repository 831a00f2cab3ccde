// SPDX-License-Identifier: Apache-2.0
#include "common/tensors/safetensors.h"

#include <torch/utils.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::TempDir;

std::string Bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_CASE("What was written is read back, bit for bit") {
  const TempDir dir;
  const auto path = dir.path() / "a.safetensors";
  torch::manual_seed(1);
  const std::map<std::string, torch::Tensor> tensors = {
      {"bf16", torch::randn({3, 5}).to(torch::kBFloat16)},
      {"f16", torch::randn({7}).to(torch::kFloat16)},
      {"f32", torch::randn({2, 3}).t()},  // not contiguous
      {"i32", torch::arange(5, torch::kInt32)},
      {"i64", torch::arange(4)},
      {"empty", torch::empty({0, 4})},
      {"scalar", torch::tensor(2.5f)},
      {"u8", torch::arange(3, torch::kUInt8)}};
  REQUIRE(WriteSafetensors(path, tensors, {{"format", "pt"}}).ok());

  std::map<std::string, torch::Tensor> read;
  {
    const auto file = SafetensorsFile::Open(path);
    REQUIRE(file.ok());
    CHECK(file->names().size() == tensors.size());
    CHECK(file->Contains("f16"));
    CHECK(!file->Contains("f17"));
    CHECK(file->metadata().at("format") == "pt");
    for (const auto& [name, tensor] : tensors) read[name] = *file->View(name);
  }
  for (const auto& [name, tensor] : tensors) {  // the mapping outlives the file
    INFO(name);
    CHECK(read[name].scalar_type() == tensor.scalar_type());
    CHECK(torch::equal(read[name], tensor));
  }

  const std::string before = Bytes(path);
  read["f32"].fill_(0);  // private pages
  CHECK(Bytes(path) == before);
  REQUIRE(WriteSafetensors(path, tensors, {{"format", "pt"}}).ok());
  CHECK(Bytes(path) == before);
}

TEST_CASE("A tensor that is missing or of another kind is refused by name") {
  const TempDir dir;
  const auto path = dir.path() / "a.safetensors";
  REQUIRE(WriteSafetensors(path, {{"w", torch::ones({2, 3})}}).ok());
  const auto file = SafetensorsFile::Open(path);
  REQUIRE(file.ok());
  CHECK(absl::IsNotFound(file->View("v").status()));
  const std::vector<int64_t> shape = {2, 3}, other = {3, 2};
  CHECK(file->View("w", shape, torch::kFloat32).ok());
  const auto wrong_shape = file->View("w", other).status();
  CHECK(absl::IsInvalidArgument(wrong_shape));
  CHECK(wrong_shape.ToString().find("'w' has shape [2, 3], expected [3, 2]") !=
        std::string::npos);
  const auto wrong_type = file->View("w", shape, torch::kBFloat16).status();
  CHECK(wrong_type.ToString().find("dtype F32, expected BF16") !=
        std::string::npos);
  CHECK(absl::IsInvalidArgument(
      WriteSafetensors(path, {{"c", torch::ones({1}, torch::kComplexFloat)}})));
}

TEST_CASE("Damaged files are refused") {
  const TempDir dir;
  const auto path = dir.path() / "a.safetensors";
  const auto refused = [&](const std::string& why) {
    const auto status = SafetensorsFile::Open(path).status().ToString();
    CHECK_THAT(status, Catch::Contains("a.safetensors"));
    CHECK_THAT(status, Catch::Contains(why));
  };
  refused("cannot open");
  CHECK(absl::IsNotFound(SafetensorsFile::Open(path).status()));
  CHECK(absl::IsNotFound(WriteSafetensors(dir.path() / "no" / "a", {})));
  std::ofstream(path) << "abc";
  refused("too few");

  REQUIRE(WriteSafetensors(path, {{"w", torch::ones({64})}}).ok());
  const std::string whole = Bytes(path);
  std::ofstream(path, std::ios::binary) << whole.substr(0, 20);
  refused("header claims");
  std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() - 4);
  refused("'w': ends");
  std::ofstream(path, std::ios::binary) << whole << "more";
  refused("follow the last tensor");

  std::ofstream(path, std::ios::binary) << std::string(8, '\0') << "{}";
  refused("not a JSON object");
}

}  // namespace
}  // namespace larr
