// SPDX-License-Identifier: Apache-2.0
#include "common/llm/layer_ops.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "common/llm/attention_kernels.h"
#include "common/llm/kernels.h"
#include "common/tensors/parallel_for.h"

namespace larr::ops {
namespace {

using kernels::Bf16;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kRowsOfTask = 64;

// Calls body(T{}) with the kernels' type of `dtype`.
template <typename Body>
void WithType(torch::ScalarType dtype, const Body& body) {
  if (dtype == torch::kBFloat16) return body(Bf16{});
  TORCH_CHECK(dtype == torch::kFloat32, "weights must be float32 or bfloat16");
  body(float{});
}

template <typename T>
T* Data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

bool NeedsGradient(const Tensor& a) {
  return torch::GradMode::is_enabled() && a.requires_grad();
}

// [n, m] of a bfloat16 [m, n].
Tensor Transposed(const Tensor& x) {
  const Tensor from = x.contiguous();
  const int64_t rows = from.size(0), columns = from.size(1);
  const Tensor to = torch::empty({columns, rows}, from.options());
  ParallelFor(columns, kRowsOfTask, [&](int64_t first, int64_t last) {
    kernels::Transpose(rows, columns, first, last, Data<Bf16>(from),
                       Data<Bf16>(to));
  });
  return to;
}

struct TableLookup : torch::autograd::Function<TableLookup> {
  static Tensor forward(AutogradContext* context, const Tensor& table,
                        const Tensor& ids) {
    context->save_for_backward({ids});
    context->saved_data["rows"] = table.size(0);
    context->saved_data["dtype"] = table.scalar_type();
    return torch::embedding(table, ids).to(torch::kFloat32);
  }

  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const Tensor ids = context->get_saved_variables()[0];
    const int64_t rows = context->saved_data["rows"].toInt();
    const Tensor& gradient = upstream[0];
    return {torch::zeros({rows, gradient.size(1)}, gradient.options())
                .index_add_(0, ids, gradient)
                .to(context->saved_data["dtype"].toScalarType()),
            Tensor()};
  }
};

struct LinearLayer : torch::autograd::Function<LinearLayer> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& weight,
                        const std::optional<Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["has_bias"] = bias.has_value();
    return at::linear(x, weight, bias);
  }
  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto saved = context->get_saved_variables();
    const Tensor slope = upstream[0].contiguous();
    const auto wanted = [&](size_t i) { return context->needs_input_grad(i); };
    const bool has_bias = context->saved_data["has_bias"].toBool();
    return {wanted(0) ? slope.mm(saved[1]) : Tensor(),
            wanted(1) ? TransposedProduct(slope, saved[0]) : Tensor(),
            has_bias && wanted(2) ? slope.sum(0) : Tensor()};
  }
};

struct Norm : torch::autograd::Function<Norm> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& weight, double epsilon) {
    context->save_for_backward({x, weight});
    context->saved_data["epsilon"] = epsilon;
    Tensor same = x;
    return AddRmsNorm(same, {}, weight.to(torch::kFloat32), epsilon,
                      weight.scalar_type());
  }
  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto saved = context->get_saved_variables();
    const auto epsilon =
        static_cast<float>(context->saved_data["epsilon"].toDouble());
    const Tensor &x = saved[0], slope = upstream[0].contiguous();
    const Tensor weight = saved[1].to(torch::kFloat32);
    const int64_t rows = x.size(0), width = x.size(1);
    const int64_t tasks =
        std::clamp<int64_t>((rows + kRowsOfTask - 1) / kRowsOfTask, 1, 32);
    const Tensor d_x = torch::empty_like(x);
    const Tensor d_weight = torch::zeros({tasks, width}, torch::kFloat32);
    WithType(slope.scalar_type(), [&](auto type) {
      using T = decltype(type);
      ParallelFor(tasks, 1, [&](int64_t from, int64_t to) {
        for (int64_t task = from; task < to; ++task) {
          const int64_t begin = rows * task / tasks;
          const int64_t end = rows * (task + 1) / tasks;
          kernels::RmsNormBackward(
              end - begin, width, Data<float>(x) + begin * width,
              Data<float>(weight), epsilon, Data<T>(slope) + begin * width,
              Data<float>(d_x) + begin * width,
              Data<float>(d_weight) + task * width);
        }
      });
    });
    return {d_x, d_weight.sum(0).to(saved[1].scalar_type()), Tensor()};
  }
};

Tensor SiluMulForward(const Tensor& gate_up) {
  RECORD_USER_SCOPE("silu");
  const int64_t width = gate_up.size(1) / 2;
  const Tensor out = torch::empty({gate_up.size(0), width}, gate_up.options());
  WithType(gate_up.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ParallelFor(out.size(0), kRowsOfTask, [&](int64_t from, int64_t to) {
      kernels::SiluMul(to - from, width, Data<T>(gate_up) + from * 2 * width,
                       Data<T>(out) + from * width);
    });
  });
  return out;
}

struct Gate : torch::autograd::Function<Gate> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    context->save_for_backward({gate_up});
    return SiluMulForward(gate_up);
  }
  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const Tensor slope = upstream[0].contiguous();
    const Tensor out = torch::empty_like(gate_up);
    const int64_t width = slope.size(1);
    WithType(gate_up.scalar_type(), [&](auto type) {
      using T = decltype(type);
      ParallelFor(slope.size(0), kRowsOfTask, [&](int64_t from, int64_t to) {
        kernels::SiluMulBackward(
            to - from, width, Data<T>(gate_up) + from * 2 * width,
            Data<T>(slope) + from * width, Data<T>(out) + from * 2 * width);
      });
    });
    return {out};
  }
};

kernels::AttentionShape ShapeOf(const LlmConfig& config) {
  return {config.heads, config.kv_heads, config.head_dim};
}

// Calls body(text, kv_head, scratch) for all, on all threads. Neighbours in
// the matrix differ in length, so a thread takes every n-th one.
template <typename Body>
void ForEachHead(const PackedBatch& batch, int64_t kv_heads, int64_t scratch,
                 const Body& body) {
  const int64_t tasks = static_cast<int64_t>(batch.begin.size()) * kv_heads;
  const int64_t shares = std::min<int64_t>(tasks, 4 * at::get_num_threads());
  ParallelFor(shares, 1, [&](int64_t from, int64_t to) {
    std::vector<float> memory(static_cast<size_t>(scratch));
    for (int64_t share = from; share < to; ++share) {
      for (int64_t task = share; task < tasks; task += shares)
        body(task / kv_heads, task % kv_heads, memory.data());
    }
  });
}

Tensor AttentionForward(const Tensor& qkv, const PackedBatch& batch,
                        const LlmConfig& config, const RotaryTable& rotary,
                        bool last_only) {
  RECORD_USER_SCOPE("attention");
  const auto shape = ShapeOf(config);
  const Tensor out = torch::empty({qkv.size(0), config.heads * config.head_dim},
                                  qkv.options());
  WithType(qkv.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ForEachHead(batch, shape.kv_heads,
                kernels::AttentionScratch(shape, batch.max_length),
                [&](int64_t text, int64_t head, float* scratch) {
                  const int64_t begin = batch.begin[text];
                  const int64_t length = batch.length[text];
                  kernels::Attention(
                      shape, head, length, last_only ? length - 1 : 0,
                      Data<T>(qkv) + begin * qkv.size(1),
                      Data<float>(rotary.cosine), Data<float>(rotary.sine),
                      scratch, Data<T>(out) + begin * out.size(1));
                });
  });
  return out;
}

// What the backward pass of attention must still have.
struct AttentionInputs {
  PackedBatch batch;
  LlmConfig config;
  RotaryTable rotary;
};

struct Attend : torch::autograd::Function<Attend> {
  static Tensor forward(AutogradContext* context, const Tensor& qkv,
                        std::shared_ptr<const AttentionInputs> inputs) {
    context->save_for_backward({qkv});
    const Tensor out = AttentionForward(qkv, inputs->batch, inputs->config,
                                        inputs->rotary, false);
    // Shared with the graph that keeps the context.
    context->saved_data["inputs"] = c10::IValue::make_capsule(
        c10::make_intrusive<Holder>(std::move(inputs)));
    return out;
  }
  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const Tensor qkv = context->get_saved_variables()[0];
    const Tensor slope = upstream[0].contiguous();
    const auto holder = context->saved_data["inputs"].toCapsule();
    const AttentionInputs& inputs =
        *static_cast<const Holder*>(holder.get())->inputs;
    const auto shape = ShapeOf(inputs.config);
    const Tensor out = torch::empty_like(qkv);
    WithType(qkv.scalar_type(), [&](auto type) {
      using T = decltype(type);
      ForEachHead(
          inputs.batch, shape.kv_heads,
          kernels::AttentionBackwardScratch(shape, inputs.batch.max_length),
          [&](int64_t text, int64_t head, float* scratch) {
            const int64_t begin = inputs.batch.begin[text];
            kernels::AttentionBackward(shape, head, inputs.batch.length[text],
                                       Data<T>(qkv) + begin * qkv.size(1),
                                       Data<float>(inputs.rotary.cosine),
                                       Data<float>(inputs.rotary.sine),
                                       Data<T>(slope) + begin * slope.size(1),
                                       scratch,
                                       Data<T>(out) + begin * out.size(1));
          });
    });
    return {out, Tensor()};
  }
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<const AttentionInputs> in)
        : inputs(std::move(in)) {}
    std::shared_ptr<const AttentionInputs> inputs;
  };
};

}  // namespace

Tensor Lookup(const Tensor& table, const Tensor& ids) {
  return TableLookup::apply(table, ids);
}

Tensor Linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!NeedsGradient(weight) || !x.is_cpu()) return at::linear(x, weight, bias);
  return LinearLayer::apply(
      x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

Tensor TransposedProduct(const Tensor& a, const Tensor& b) {
  if (!a.is_cpu() || a.scalar_type() != torch::kBFloat16) return a.t().mm(b);
  // What is moved: a, or else b and the product.
  const int64_t m = a.size(0), n = a.size(1), k = b.size(1);
  if (m * n <= (m + n) * k) return Transposed(a).mm(b);
  return Transposed(Transposed(b).mm(a));
}

Tensor AddRmsNorm(Tensor& x, const Tensor& delta, const Tensor& weight,
                  double epsilon, torch::ScalarType dtype) {
  RECORD_USER_SCOPE("norm");
  const int64_t width = x.size(1);
  const Tensor out = torch::empty(x.sizes(), x.options().dtype(dtype));
  WithType(dtype, [&](auto type) {
    using T = decltype(type);
    ParallelFor(x.size(0), kRowsOfTask, [&](int64_t from, int64_t to) {
      const T* add = delta.defined() ? Data<T>(delta) + from * width : nullptr;
      kernels::AddRmsNorm(to - from, width, Data<float>(x) + from * width, add,
                          Data<float>(weight), static_cast<float>(epsilon),
                          Data<T>(out) + from * width);
    });
  });
  return out;
}

Tensor RmsNorm(const Tensor& x, const Tensor& weight, double epsilon) {
  if (NeedsGradient(x) || NeedsGradient(weight))
    return Norm::apply(x.contiguous(), weight, epsilon);
  Tensor same = x.contiguous();
  return AddRmsNorm(same, {}, weight.to(torch::kFloat32), epsilon,
                    weight.scalar_type());
}

Tensor SiluMul(const Tensor& gate_up) {
  return NeedsGradient(gate_up) ? Gate::apply(gate_up)
                                : SiluMulForward(gate_up);
}

Tensor Attention(const Tensor& qkv, const PackedBatch& batch,
                 const LlmConfig& config, const RotaryTable& rotary,
                 bool last_only) {
  if (!NeedsGradient(qkv))
    return AttentionForward(qkv, batch, config, rotary, last_only);
  return Attend::apply(qkv, std::make_shared<const AttentionInputs>(
                                AttentionInputs{batch, config, rotary}));
}

void AdamW(const AdamWOptions& options, const Tensor& gradient,
           const Tensor& master, const Tensor& mean, const Tensor& variance,
           const Tensor& rounded) {
  const auto narrow = [](double x) { return static_cast<float>(x); };
  const auto steps = static_cast<double>(options.step);
  const kernels::AdamWStep step = {
      .rate = narrow(options.rate),
      .decay = narrow(options.decay),
      .beta1 = narrow(options.beta1),
      .beta2 = narrow(options.beta2),
      .epsilon = narrow(options.epsilon),
      .correction1 = narrow(1 - std::pow(options.beta1, steps)),
      .correction2 = narrow(1 - std::pow(options.beta2, steps)),
      .gradient_scale = narrow(options.gradient_scale)};
  Bf16* to = rounded.defined() && rounded.scalar_type() == torch::kBFloat16
                 ? Data<Bf16>(rounded)
                 : nullptr;
  WithType(gradient.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ParallelFor(master.numel(), 1 << 14, [&](int64_t from, int64_t end) {
      kernels::AdamW(end - from, step, Data<T>(gradient) + from,
                     Data<float>(master) + from, Data<float>(mean) + from,
                     Data<float>(variance) + from,
                     to == nullptr ? nullptr : to + from);
    });
  });
}

Tensor LogSumExp(const Tensor& logits) {
  if (!logits.is_cpu()) return logits.to(torch::kFloat32).logsumexp(1);
  const int64_t width = logits.size(1);
  const Tensor out = torch::empty({logits.size(0)}, torch::kFloat32);
  WithType(logits.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ParallelFor(out.size(0), 1, [&](int64_t from, int64_t to) {
      kernels::LogSumExp(to - from, width, Data<T>(logits) + from * width,
                         Data<float>(out) + from);
    });
  });
  return out;
}

void SoftmaxInPlace(const Tensor& logits, const Tensor& norm, double weight) {
  if (!logits.is_cpu()) {
    logits.copy_((logits.to(torch::kFloat32) - norm.unsqueeze(1)).exp_() *
                 weight);
    return;
  }
  const int64_t width = logits.size(1);
  WithType(logits.scalar_type(), [&](auto type) {
    using T = decltype(type);
    ParallelFor(logits.size(0), 1, [&](int64_t from, int64_t to) {
      kernels::SoftmaxInPlace(to - from, width, Data<float>(norm) + from,
                              static_cast<float>(weight),
                              Data<T>(logits) + from * width);
    });
  });
}

}  // namespace larr::ops
