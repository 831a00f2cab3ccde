// SPDX-License-Identifier: Apache-2.0
//
// Input: the text of a CTR model's description, a zero byte, and its
// safetensors file. Goes as far as loading does without LibTorch. Holds: an
// accepted description gives shapes that can be told; its own header fits, and
// none that lacks a tensor; an accepted file has the bytes for all of them.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "common/config/text_proto.h"
#include "common/config/training_settings.h"
#include "common/ctr/tensor_shapes.h"
#include "common/features/tabular_encoder.h"
#include "common/features/text_renderer.h"
#include "services/scoring/request_checker.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using larr::config::v1::CtrArchitecture;
using larr::config::v1::CtrModelDescription;
using larr::testing::Require;

void CheckShapes(const CtrArchitecture& architecture,
                 const larr::CtrLayout& layout, std::string_view file) {
  larr::SafetensorsHeader own;
  for (const auto& shape : CtrTensorShapes(architecture, layout)) {
    for (const int64_t extent : shape.sizes)
      Require(extent >= 0, "no negative size");
    own.tensors[shape.name].shape = shape.sizes;
  }
  Require(CheckCtrTensors(own, "own", architecture, layout).ok(),
          "its own header");
  own.tensors.erase(own.tensors.begin());
  Require(!CheckCtrTensors(own, "own", architecture, layout).ok(),
          "a tensor less");

  const auto header = larr::ParseSafetensorsHeader(file, "file");
  if (!header.ok() ||
      !CheckCtrTensors(*header, "file", architecture, layout).ok())
    return;
  size_t floats = 0;
  for (const auto& [name, entry] : header->tensors) {
    size_t count = 1;
    for (const int64_t extent : entry.shape)
      count *= static_cast<size_t>(extent);
    floats += count;
  }
  Require(floats * sizeof(float) < file.size(), "all tensors in the file");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input = larr::testing::ViewOf(data, size);
  const size_t zero = std::min(input.find('\0'), input.size());
  auto description = larr::ParseTextProto<CtrModelDescription>(
      input.substr(0, zero), "model.textproto");
  if (!description.ok()) return 0;
  auto architecture = larr::CompleteArchitecture(description->architecture());
  if (!architecture.ok()) return 0;
  *description->mutable_architecture() = *architecture;
  const auto layout = larr::MakeCtrLayout(*description);
  if (layout.ok()) {
    CheckShapes(*architecture, *layout,
                input.substr(std::min(zero + 1, input.size())));
  }
  const auto renderer = larr::TextRenderer::Create(description->dataset());
  const auto encoder = larr::TabularEncoder::Create(description->dataset(),
                                                    description->features());
  if (!renderer.ok() || !encoder.ok()) return 0;
  const larr::RequestChecker checker(*description, *encoder);
  larr::scoring::v1::ScoreRequest request;
  request.add_candidates()->set_poi_id("p");
  Require(checker.Check(request, 1).ok(), "a bare request fits any model");
  return 0;
}
