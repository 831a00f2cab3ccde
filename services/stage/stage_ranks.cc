// SPDX-License-Identifier: Apache-2.0
#include "services/stage/stage_ranks.h"

#include <fmt/format.h>
#include <torch/utils.h>
#include <xxhash.h>

#include <algorithm>
#include <numeric>

#include "common/base/status_macros.h"
#include "common/llm/weights.h"

namespace larr::stage {
namespace {

using torch::Tensor;

Tensor BytesOf(std::vector<uint8_t>& bytes) {
  return torch::from_blob(bytes.data(), {std::ssize(bytes)}, torch::kUInt8);
}

}  // namespace

std::string WeightsHash(const Checkpoint& checkpoint) {
  std::string hashes;
  for (const auto& [name, view] :
       NamedWeights(checkpoint.config, checkpoint.weights)) {
    const Tensor plain = view.detach().cpu().contiguous();
    hashes += fmt::format("{} {:016x}\n", name,
                          XXH3_64bits(plain.const_data_ptr(), plain.nbytes()));
  }
  return hashes;
}

namespace {

absl::Status CheckSame(ProcessGroup& ranks, const char* what,
                       const std::string& mine) {
  const Tensor hash = torch::full(
      {1}, static_cast<int64_t>(XXH3_64bits(mine.data(), mine.size())),
      torch::kInt64);
  Tensor first = hash.clone();
  LARR_RETURN_IF_ERROR(ranks.Broadcast(first));
  const bool other = !torch::equal(first, hash);
  LARR_ASSIGN_OR_RETURN(const double others, ranks.Sum(other ? 1 : 0));
  if (others == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "rank {} of {}: {} of the ranks started with other {} than rank 0{}; "
      "start all of them with equal files",
      ranks.rank(), ranks.size(), others, what, other ? ", this one too" : ""));
}

}  // namespace

std::vector<size_t> ShareOf(std::span<const int64_t> tokens, int rank,
                            int ranks) {
  std::vector<size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tokens[a] > tokens[b]; });
  // The longest text that is left goes where there is least.
  std::vector<int64_t> sums(ranks, 0);
  std::vector<size_t> share;
  for (const size_t text : order) {
    const auto least = std::min_element(sums.begin(), sums.end());
    *least += tokens[text];
    if (least - sums.begin() == rank) share.push_back(text);
  }
  std::sort(share.begin(), share.end());
  return share;
}

TrainingRank TrainingRankOf(ProcessGroup& ranks) {
  return {ranks.rank(), ranks.size(),
          [&ranks](bool mine) -> absl::StatusOr<bool> {
            LARR_ASSIGN_OR_RETURN(const double others, ranks.Sum(mine ? 0 : 1));
            return others == 0;
          },
          [&ranks](int64_t mine) -> absl::StatusOr<int64_t> {
            const Tensor value = torch::full({1}, mine, torch::kInt64);
            LARR_RETURN_IF_ERROR(ranks.Broadcast(value));
            return value.item<int64_t>();
          }};
}

absl::StatusOr<nlohmann::json> FromFirstRank(
    ProcessGroup& ranks,
    const std::function<absl::StatusOr<nlohmann::json>()>& compute) {
  if (ranks.alone()) return compute();
  std::vector<uint8_t> bytes;
  if (ranks.rank() == 0) {
    LARR_ASSIGN_OR_RETURN(const auto value, compute());
    // Of numbers it keeps every bit, and NaN.
    bytes = nlohmann::json::to_cbor(value);
  }
  const Tensor size = torch::full({1}, std::ssize(bytes), torch::kInt64);
  LARR_RETURN_IF_ERROR(ranks.Broadcast(size));
  bytes.resize(size.item<int64_t>());
  LARR_RETURN_IF_ERROR(ranks.Broadcast(BytesOf(bytes)));
  return nlohmann::json::from_cbor(bytes);
}

absl::Status CheckSameStart(ProcessGroup& ranks, const std::string& identity,
                            const Checkpoint& checkpoint) {
  if (ranks.alone()) return absl::OkStatus();
  LARR_RETURN_IF_ERROR(CheckSame(ranks, "settings or inputs", identity));
  return CheckSame(ranks, "weights", WeightsHash(checkpoint));
}

}  // namespace larr::stage
