// SPDX-License-Identifier: Apache-2.0
#include "common/ctr/scene_encoder.h"

#include <torch/utils.h>

#include "common/ctr/agg_attention.h"
#include "common/ctr/linear.h"

namespace larr {

using torch::Tensor;

namespace {

Tensor Norm(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, kSceneNormEpsilon);
}

}  // namespace

SceneEncoder::SceneEncoder(const config::v1::CtrArchitecture& architecture,
                           int64_t slot_count, int64_t text_dim,
                           int64_t output_width)
    : readout_(architecture.readout()), heads_(architecture.encoder_heads()) {
  const int64_t r = slot_count, c = text_dim;
  const int64_t ffn = architecture.encoder_ffn_width();
  mean_rC_ = register_buffer("mean", torch::zeros({r, c}));
  scale_r_ = register_buffer("scale", torch::ones({r}));
  slot_rC_ = register_parameter("slot", torch::empty({r, c}).normal_(0, 0.1));
  default_rC_ = register_parameter("default", torch::zeros({r, c}));
  // Small, and a projection that keeps its input's size: e_s would else begin
  // as a constant with a trace of the texts (docs/decisions/scene-scale.md).
  agg_C_ = register_parameter("agg", torch::empty({c}).normal_(0, 0.02));
  const auto add = [this](const std::string& name, LinearParameters p,
                          Tensor& weight, Tensor& bias) {
    weight = register_parameter(name + "_weight", p.weight);
    bias = register_parameter(name + "_bias", p.bias);
  };
  const auto norm = [&](const std::string& name, Tensor& weight, Tensor& bias) {
    add(name, {torch::ones({c}), torch::zeros({c})}, weight, bias);
  };
  add("attention_in", MakeLinear(c, 3 * c), in_weight_, in_bias_);
  add("attention_out", MakeLinear(c, c), out_weight_, out_bias_);
  norm("norm1", norm1_weight_, norm1_bias_);
  add("ffn1", MakeLinear(c, ffn), ffn1_weight_, ffn1_bias_);
  add("ffn2", MakeLinear(ffn, c), ffn2_weight_, ffn2_bias_);
  norm("norm2", norm2_weight_, norm2_bias_);
  add("mlp1", MakeLinear(c, c, kKeepsScale), mlp1_weight_, mlp1_bias_);
  add("mlp2", MakeLinear(c, output_width, kKeepsScale), mlp2_weight_,
      mlp2_bias_);
}

Tensor SceneEncoder::Forward(const SceneBatch& scene) {
  Tensor pooled;
  if (readout_ == config::v1::CtrArchitecture::AGG)
    pooled = Finish(
        agg_C_, AttendFromAgg(TokenTable(scene), IndexWithAgg(scene), heads_));
  else
    pooled = EncodeAll(scene).mean(1);
  return Linear(LinearRelu(pooled, mlp1_weight_, mlp1_bias_), mlp2_weight_,
                mlp2_bias_);
}

Tensor SceneEncoder::EncodeAll(const SceneBatch& scene) {
  const int64_t b = scene.index_Br.size(0), n = scene.index_Br.size(1) + 1;
  const int64_t c = agg_C_.size(0);
  const Tensor x = torch::cat({agg_C_.expand({b, 1, c}),
                               at::embedding(Tokens(scene), TokenIndex(scene))},
                              1)
                       .view({b * n, c});
  const auto heads = [&](const Tensor& y) {
    return y.view({b, n, heads_, c / heads_}).transpose(1, 2);
  };
  const auto qkv = Linear(x, in_weight_, in_bias_).chunk(3, 1);
  const Tensor attention =
      at::scaled_dot_product_attention(heads(qkv[0].contiguous()),
                                       heads(qkv[1].contiguous()),
                                       heads(qkv[2].contiguous()))
          .transpose(1, 2)
          .reshape({b * n, c});
  return Finish(x, attention).view({b, n, c});
}

void SceneEncoder::SetStatistics(const Tensor& texts_TC,
                                 const Tensor& slots_T) {
  const torch::NoGradGuard no_grad;
  for (int64_t s = 0; s < scale_r_.size(0); ++s) {
    const Tensor texts = texts_TC.index({slots_T == s}).to(torch::kFloat64);
    if (texts.size(0) == 0) continue;
    const Tensor mean = texts.mean(0);
    const double rms = (texts - mean).square().mean().sqrt().item<double>();
    mean_rC_[s].copy_(mean);
    // A slot of one text has nothing to scale.
    scale_r_[s].fill_(rms > 1e-6 ? 1 / rms : 1.0);
  }
}

Tensor SceneEncoder::Tokens(const SceneBatch& scene) const {
  const Tensor& slots = scene.slots_T;
  const Tensor z = (scene.texts_TC - mean_rC_.index_select(0, slots)) *
                   scale_r_.index_select(0, slots).unsqueeze(1);
  return torch::cat(
      {z + at::embedding(slot_rC_, slots), default_rC_ + slot_rC_});
}

Tensor SceneEncoder::TokenIndex(const SceneBatch& scene) const {
  const Tensor defaults =
      torch::arange(scene.index_Br.size(1), scene.index_Br.options()) +
      scene.texts_TC.size(0);
  return torch::where(scene.index_Br < 0, defaults, scene.index_Br);
}

Tensor SceneEncoder::IndexWithAgg(const SceneBatch& scene) const {
  const Tensor index = TokenIndex(scene);
  const int64_t agg = scene.texts_TC.size(0) + default_rC_.size(0);
  return torch::cat(
      {index, torch::full({index.size(0), 1}, agg, index.options())}, 1);
}

Tensor SceneEncoder::TokenTable(const SceneBatch& scene) const {
  const int64_t r = mean_rC_.size(0);
  const auto [weight, bias] =
      ScoresAndValues(in_weight_, in_bias_, agg_C_, heads_);
  // z + slot is linear in the text: what belongs to the slot goes through the
  // weight once, and no gradient has to go back to the texts.
  const Tensor own = slot_rC_ - mean_rC_ * scale_r_.unsqueeze(1);
  const Tensor others =
      Linear(torch::cat({own, default_rC_ + slot_rC_, agg_C_.unsqueeze(0)}),
             weight, bias);
  const Tensor texts = Linear(
      scene.texts_TC * scale_r_.index_select(0, scene.slots_T).unsqueeze(1),
      weight, torch::zeros_like(bias));
  return torch::cat(
      {texts + at::embedding(others.narrow(0, 0, r), scene.slots_T),
       others.narrow(0, r, r + 1)});
}

Tensor SceneEncoder::AttentionOfAgg(const SceneBatch& scene) const {
  const Tensor scores = TokenTable(scene).narrow(1, 0, heads_);
  return at::embedding(scores, IndexWithAgg(scene)).softmax(1).mean(2);
}

Tensor SceneEncoder::Finish(const Tensor& input, const Tensor& attention) {
  const Tensor x = Norm(input + Linear(attention, out_weight_, out_bias_),
                        norm1_weight_, norm1_bias_);
  const Tensor hidden = LinearRelu(x, ffn1_weight_, ffn1_bias_);
  return Norm(x + Linear(hidden, ffn2_weight_, ffn2_bias_), norm2_weight_,
              norm2_bias_);
}

}  // namespace larr
