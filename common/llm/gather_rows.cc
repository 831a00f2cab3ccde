// SPDX-License-Identifier: Apache-2.0
#include "common/llm/gather_rows.h"

#include <torch/autograd.h>

#include <utility>

namespace larr {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

void Check(const absl::Status& status) {
  TORCH_CHECK(status.ok(), status.message());
}

struct GroupHolder : torch::CustomClassHolder {
  explicit GroupHolder(ProcessGroup& of) : group(of) {}
  ProcessGroup& group;
};

struct Gather : torch::autograd::Function<Gather> {
  static Tensor forward(AutogradContext* context, const Tensor& rows,
                        const c10::intrusive_ptr<GroupHolder>& holder) {
    context->saved_data["group"] = c10::IValue::make_capsule(holder);
    ProcessGroup& group = holder->group;
    Tensor out = torch::empty({group.size(), rows.size(0), rows.size(1)},
                              rows.options());
    Check(group.AllGather(out, rows.contiguous()).Wait());
    return out.view({-1, rows.size(1)});
  }

  static tensor_list backward(AutogradContext* context, tensor_list upstream) {
    const auto holder = c10::static_intrusive_pointer_cast<GroupHolder>(
        context->saved_data["group"].toCapsule());
    ProcessGroup& group = holder->group;
    const Tensor slopes = upstream[0].contiguous();
    Tensor sum = torch::empty({slopes.size(0) / group.size(), slopes.size(1)},
                              slopes.options());
    Check(group.ReduceScatter(sum, slopes).Wait());
    return {sum, Tensor()};
  }
};

}  // namespace

Tensor GatherRows(const Tensor& rows, ProcessGroup& group) {
  if (group.alone()) return rows;
  return Gather::apply(rows, c10::make_intrusive<GroupHolder>(group));
}

}  // namespace larr
