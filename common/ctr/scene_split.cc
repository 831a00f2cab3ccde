// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scene_split.h"

#include <torch/utils.h>

#include <utility>

#include "common/ctr/agg_attention.h"
#include "common/ctr/scene_encoder.h"

namespace larr {
namespace {

using torch::Tensor;
using Tensors = std::map<std::string, Tensor>;

constexpr int64_t kUsualRows = 128;

std::vector<float> Floats(const Tensor& tensor) {
  const Tensor flat = tensor.contiguous();
  return {flat.const_data_ptr<float>(),
          flat.const_data_ptr<float>() + flat.numel()};
}

PackedLinear Pack(const Tensors& tensors, const std::string& name,
                  torch::ScalarType dtype, const Tensor& more_bias = {}) {
  Tensor bias = tensors.at("scene." + name + "_bias");
  if (more_bias.defined()) bias = bias + more_bias;
  return {tensors.at("scene." + name + "_weight").to(dtype), bias.to(dtype),
          kUsualRows};
}

// [H rows that give agg's scores of a token | C rows that give its values].
PackedLinear PackScoresAndValues(const Tensors& tensors, int64_t heads) {
  const auto [weight, bias] = ScoresAndValues(
      tensors.at("scene.attention_in_weight"),
      tensors.at("scene.attention_in_bias"), tensors.at("scene.agg"), heads);
  return {weight, bias, kUsualRows};
}

template <typename T>
T* Data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

}  // namespace

SceneSplit::SceneSplit(const Tensors& tensors, int64_t heads,
                       torch::ScalarType dtype)
    : width_(tensors.at("scene.agg").size(0)),
      shape_{heads, width_ / heads},
      scale_(Floats(tensors.at("scene.scale"))),
      offset_(Floats(tensors.at("scene.slot") -
                     tensors.at("scene.mean") *
                         tensors.at("scene.scale").unsqueeze(1))),
      missing_(Floats(tensors.at("scene.slot") + tensors.at("scene.default"))),
      agg_(Floats(tensors.at("scene.agg"))),
      scores_and_values_(PackScoresAndValues(tensors, heads)),
      out_(Pack(tensors, "attention_out", dtype, tensors.at("scene.agg"))),
      ffn1_(Pack(tensors, "ffn1", dtype)),
      ffn2_(Pack(tensors, "ffn2", dtype)),
      mlp1_(Pack(tensors, "mlp1", dtype)),
      mlp2_(Pack(tensors, "mlp2", dtype)),
      norm1_{tensors.at("scene.norm1_weight"), tensors.at("scene.norm1_bias")},
      norm2_{tensors.at("scene.norm2_weight"), tensors.at("scene.norm2_bias")} {
}

void SceneSplit::Pool(std::span<const int64_t> slots,
                      std::span<const float* const> vectors, int64_t count,
                      bool with_agg, std::byte* parts, size_t pitch) const {
  const auto texts = static_cast<int64_t>(slots.size());
  const int64_t tokens = texts + (with_agg ? 1 : 0);
  // As many rows as a multiple of 16: oneDNN makes code for each number.
  const Tensor x = torch::zeros({(count * tokens + 15) / 16 * 16, width_});
  float* row = x.data_ptr<float>();
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t t = 0; t < texts; ++t, row += width_) {
      const float* vector = vectors[i * texts + t];
      const int64_t at = slots[t] * width_;
      for (int64_t c = 0; c < width_; ++c)
        row[c] = vector == nullptr
                     ? missing_[at + c]
                     : vector[c] * scale_[slots[t]] + offset_[at + c];
    }
    if (with_agg) row = std::copy(agg_.begin(), agg_.end(), row);
  }
  const Tensor rows = scores_and_values_(x);
  for (int64_t i = 0; i < count; ++i)
    kernels::PoolTokens(
        shape_, tokens,
        rows.const_data_ptr<float>() + i * tokens * rows.size(1),
        reinterpret_cast<float*>(parts + i * pitch));
}

Tensor SceneSplit::AddNorm(const Tensor& x, const Tensor& residual,
                           const Norm& norm) const {
  Tensor out = torch::empty_like(x);
  const auto run = [&]<typename T>(T* to) {
    kernels::AddLayerNorm(
        x.size(0), width_, Data<const T>(x),
        residual.defined() ? Data<const T>(residual) : nullptr,
        norm.weight.const_data_ptr<float>(), norm.bias.const_data_ptr<float>(),
        kSceneNormEpsilon, to);
  };
  if (x.scalar_type() == torch::kFloat32)
    run(Data<float>(out));
  else
    run(Data<kernels::Bf16>(out));
  return out;
}

Tensor SceneSplit::Finish(const Tensor& attention) const {
  const Tensor x = AddNorm(out_(attention), {}, norm1_);
  const Tensor y = AddNorm(ffn2_(ffn1_.Relu(x)), x, norm2_);
  return mlp2_(mlp1_.Relu(y));
}

}  // namespace larr
