// SPDX-License-Identifier: Apache-2.0
#include "common/llm/shards.h"

#include <torch/autograd.h>
#include <torch/utils.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>
#include <utility>

#include "common/base/status_macros.h"

namespace larr {
namespace {

using torch::Tensor;

constexpr size_t kUnderWay = 4;

Tensor Flat(const Tensor& tensor) { return tensor.detach().view({-1}); }

}  // namespace

struct Shards::Hook : torch::autograd::PostAccumulateGradHook {
  Hook(Shards& of, size_t index) : shards(of), tensor(index) {}
  void operator()(const Tensor&) override {
    if (!shards.last_pass_) return;
    shards.Take(tensor);
    while (shards.sent_ < shards.buckets_.size() &&
           shards.buckets_[shards.sent_].missing == 0) {
      shards.SendNext();
    }
  }
  Shards& shards;
  const size_t tensor;
};

Shards::Shards(std::vector<TrainedTensor> tensors, ProcessGroup& group,
               int64_t bucket_elements)
    : tensors_(std::move(tensors)),
      group_(group),
      buckets_of_(tensors_.size()) {
  const torch::NoGradGuard no_grad;
  const int64_t ranks = group_.size();
  LayOut(std::max<int64_t>(1, bucket_elements / ranks) * ranks);
  for (Bucket& bucket : buckets_) Own(bucket);
  for (size_t i = 0; i < tensors_.size(); ++i) {
    torch::autograd::impl::set_post_acc_grad_hooks(
        tensors_[i].tensor, std::make_unique<Hook>(*this, i));
  }
}

Shards::~Shards() {
  for (const TrainedTensor& trained : tensors_)
    torch::autograd::impl::set_post_acc_grad_hooks(trained.tensor, nullptr);
}

void Shards::LayOut(int64_t bucket_elements) {
  std::vector<size_t> order(tensors_.size());
  std::iota(order.rbegin(), order.rend(), 0);
  const auto dtype = [&](size_t i) { return tensors_[i].tensor.scalar_type(); };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return dtype(a) < dtype(b); });
  for (const size_t i : order) {
    TORCH_CHECK(tensors_[i].tensor.is_contiguous(), tensors_[i].name,
                " is not contiguous");
    const int64_t size = tensors_[i].tensor.numel();
    for (int64_t begin = 0; begin < size;) {
      if (buckets_.empty() || buckets_.back().dtype != dtype(i) ||
          buckets_.back().size == bucket_elements) {
        buckets_.push_back({.dtype = dtype(i)});
      }
      Bucket& bucket = buckets_.back();
      const int64_t count =
          std::min(size - begin, bucket_elements - bucket.size);
      bucket.spans.push_back({i, begin, bucket.size, count});
      buckets_of_[i].push_back(buckets_.size() - 1);
      bucket.size += count;
      begin += count;
    }
  }
  for (Bucket& bucket : buckets_) {
    bucket.size +=
        (group_.size() - bucket.size % group_.size()) % group_.size();
    bucket.missing = bucket.spans.size();
  }
}

void Shards::Own(Bucket& bucket) {
  const int64_t part = bucket.size / group_.size();
  const int64_t from = part * group_.rank(), to = from + part;
  const auto options =
      torch::TensorOptions(torch::kFloat32)
          .device(tensors_[bucket.spans.front().tensor].tensor.device());
  bucket.master = torch::zeros({part}, options);
  bucket.gradient = torch::zeros({part}, options);
  for (const Span& span : bucket.spans) {
    const int64_t first = std::max(from, span.offset);
    const int64_t count = std::min(to, span.offset + span.count) - first;
    if (count <= 0) continue;
    Piece piece;
    piece.tensor = span.tensor;
    piece.begin = span.begin + first - span.offset;
    piece.master = bucket.master.narrow(0, first - from, count);
    piece.gradient = bucket.gradient.narrow(0, first - from, count);
    piece.master.copy_(
        Flat(tensors_[span.tensor].tensor).narrow(0, piece.begin, count));
    pieces_.push_back(std::move(piece));
  }
}

void Shards::Take(size_t tensor) {
  const torch::NoGradGuard no_grad;
  Tensor& gradient = tensors_[tensor].tensor.mutable_grad();
  if (!gradient.defined()) return;
  const Tensor flat = gradient.reshape({-1});
  for (const size_t b : buckets_of_[tensor]) {
    Bucket& bucket = buckets_[b];
    if (b < sent_) {
      status_.Update(absl::InternalError(
          "a backward pass came after the one that was to be a step's last"));
      break;
    }
    if (!bucket.sum.defined()) {
      bucket.sum = torch::zeros({bucket.size}, bucket.gradient.options());
    }
    for (const Span& span : bucket.spans) {
      if (span.tensor != tensor) continue;
      bucket.sum.narrow(0, span.offset, span.count)
          .add_(flat.narrow(0, span.begin, span.count));
      if (last_pass_ && bucket.missing > 0) --bucket.missing;
    }
  }
  gradient.reset();
}

void Shards::SendNext() {
  const torch::NoGradGuard no_grad;
  Bucket& bucket = buckets_[sent_];
  if (!bucket.sum.defined()) {
    bucket.sum = torch::zeros({bucket.size}, bucket.gradient.options());
  }
  bucket.reduction = group_.ReduceScatter(bucket.gradient, bucket.sum);
  if (sent_ >= kUnderWay) Receive(buckets_[sent_ - kUnderWay]);
  ++sent_;
}

void Shards::Receive(Bucket& bucket) {
  status_.Update(bucket.reduction.Wait());
  bucket.sum.reset();
  bucket.missing = bucket.spans.size();
}

void Shards::Accumulate() {
  for (size_t i = 0; i < tensors_.size(); ++i) Take(i);
  last_pass_ = false;
}

absl::Status Shards::Reduce() {
  const torch::NoGradGuard no_grad;
  while (sent_ < buckets_.size()) SendNext();
  for (size_t b = buckets_.size() - std::min(kUnderWay, buckets_.size());
       b < buckets_.size(); ++b) {
    Receive(buckets_[b]);
  }
  sent_ = 0;
  return status_;
}

absl::Status Shards::Publish() {
  const torch::NoGradGuard no_grad;
  struct Gathering {
    const Bucket* bucket;
    Tensor all;
    ProcessGroup::Pending pending;
  };
  std::deque<Gathering> under_way;
  const auto finish = [&]() -> absl::Status {
    Gathering first = std::move(under_way.front());
    under_way.pop_front();
    LARR_RETURN_IF_ERROR(first.pending.Wait());
    PublishBucket(*first.bucket, first.all);
    return absl::OkStatus();
  };
  for (const Bucket& bucket : buckets_) {
    const auto options = bucket.master.options().dtype(bucket.dtype);
    Gathering next{&bucket, torch::empty({bucket.size}, options), {}};
    next.pending = group_.AllGather(next.all, bucket.master.to(bucket.dtype));
    under_way.push_back(std::move(next));
    if (under_way.size() > kUnderWay) LARR_RETURN_IF_ERROR(finish());
  }
  while (!under_way.empty()) LARR_RETURN_IF_ERROR(finish());
  return absl::OkStatus();
}

void Shards::PublishBucket(const Bucket& bucket, const Tensor& all) {
  for (const Span& span : bucket.spans) {
    Flat(tensors_[span.tensor].tensor)
        .narrow(0, span.begin, span.count)
        .copy_(all.narrow(0, span.offset, span.count));
  }
}

}  // namespace larr
