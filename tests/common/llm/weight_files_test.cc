// SPDX-License-Identifier: Apache-2.0
#include "common/llm/weight_files.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/common/llm/golden.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using testing::FamilyFolder;
using testing::Value;

void Touch(const std::filesystem::path& path) { std::ofstream(path) << "x"; }

TEST_CASE("The files of both formats are found, whole or in shards") {
  const auto names = [](const std::filesystem::path& folder) {
    std::vector<std::string> found;
    for (const auto& path : Value(FindWeightFiles(folder)))
      found.push_back(path.filename().string());
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names(FamilyFolder("llama3")) == Names{"model.safetensors"});
  CHECK(names(FamilyFolder("qwen2_untied")) ==
        Names{"model-00001-of-00002.safetensors",
              "model-00002-of-00002.safetensors"});
  CHECK(names(FamilyFolder("baichuan2")) == Names{"pytorch_model.bin"});
  CHECK(names(FamilyFolder("llama_bias")) ==
        Names{"pytorch_model-00001-of-00002.bin",
              "pytorch_model-00002-of-00002.bin"});

  const testing::TempDir dir;
  CHECK(absl::IsNotFound(FindWeightFiles(dir.path()).status()));
  Touch(dir.path() / "pytorch_model.bin");
  CHECK(names(dir.path()) == Names{"pytorch_model.bin"});
  Touch(dir.path() / "model.safetensors");
  CHECK(names(dir.path()) == Names{"model.safetensors"});
}

TEST_CASE("An index that leads astray is refused by file") {
  const testing::TempDir dir;
  const auto index = [&](const std::string& text) {
    std::ofstream(dir.path() / "model.safetensors.index.json") << text;
    const auto status = FindWeightFiles(dir.path()).status();
    CHECK_THAT(status.ToString(),
               Catch::Contains("model.safetensors.index.json"));
    return status;
  };
  const auto missing = index(R"({"weight_map": {"w": "a.safetensors"}})");
  CHECK(absl::IsNotFound(missing));
  CHECK_THAT(missing.ToString(), Catch::Contains("a.safetensors, which is"));
  Touch(dir.path() / "a.safetensors");
  for (const char* name :
       {"../a.safetensors", "/etc/passwd", "x/../a.safetensors", "..", ""}) {
    const auto outside =
        index(R"({"weight_map": {"w": ")" + std::string(name) + "\"}}");
    CHECK(absl::IsInvalidArgument(outside));
    CHECK_THAT(outside.ToString(), Catch::Contains("in the same folder"));
  }
  CHECK(absl::IsInvalidArgument(index("{")));
  CHECK(absl::IsInvalidArgument(index(R"({"weight_map": {"w": 1}})")));
  CHECK(absl::IsInvalidArgument(index("{}")));
}

TEST_CASE("Tensors lie on the file, in either format") {
  for (const char* file :
       {"llama3/model.safetensors", "baichuan2/pytorch_model.bin"}) {
    const auto opened = Value(OpenWeightFile(FamilyFolder(file)));
    const auto& embedding = opened.tensors.at("model.embed_tokens.weight");
    CHECK(embedding.sizes() == torch::IntArrayRef({48, 32}));
    const auto* data = static_cast<const char*>(embedding.const_data_ptr());
    CHECK(data > opened.mapping->bytes());
    CHECK(data < opened.mapping->bytes() + opened.mapping->size());
  }
}

}  // namespace
}  // namespace larr
