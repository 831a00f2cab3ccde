// SPDX-License-Identifier: Apache-2.0
//
// What tests/golden/make_ctr_goldens.py wrote, and helpers to compare with it.
#pragma once

#include <torch/types.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "common/config/text_proto.h"
#include "common/ctr/ctr_model.h"
#include "common/ctr/model_io.h"
#include "common/tensors/safetensors.h"
#include "larr/config/v1/model.pb.h"

namespace larr::testing {

inline std::filesystem::path GoldenFolder() {
  return std::filesystem::path(std::getenv("LARR_SOURCE_DIR")) /
         "tests/golden/ctr";
}

class Golden {
 public:
  explicit Golden(const std::string& name)
      : file_(SafetensorsFile::Open(GoldenFolder() / name).value()) {}

  torch::Tensor operator[](const std::string& name) const {
    return file_.View(name).value();
  }
  std::vector<std::string> names() const { return file_.names(); }

  SceneBatch Scene(const std::string& prefix = "") const {
    return {(*this)[prefix + "texts"], (*this)[prefix + "slots"],
            (*this)[prefix + "index"]};
  }

 private:
  SafetensorsFile file_;
};

inline config::v1::CtrModelDescription TinyDescription() {
  return LoadTextProto<config::v1::CtrModelDescription>(
             GoldenFolder() / "larr" / kCtrDescriptionFile)
      .value();
}

// The same without texts.
inline config::v1::CtrModelDescription TinyPleDescription() {
  auto description = TinyDescription();
  description.mutable_architecture()->set_kind(
      config::v1::CtrArchitecture::PLE);
  description.set_text_dim(0);
  description.clear_embedder_fingerprint();
  return description;
}

inline CtrBatch GoldenBatch(const Golden& golden, int step) {
  const std::string prefix = std::to_string(step) + ".";
  return {.ids = golden[prefix + "ids"],
          .dense = golden[prefix + "dense"],
          .scene = golden.Scene(prefix),
          .labels = golden[prefix + "labels"],
          .pairs = golden[prefix + "pairs"]};
}

inline double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) {
  TORCH_CHECK(a.sizes() == b.sizes(), "shapes differ");
  return (a - b).abs().max().item<double>();
}

}  // namespace larr::testing
