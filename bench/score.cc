// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_score: `Scorer`, what the scoring service runs, on requests of
// 200 candidates. LARR with a two-level PLE: 20 ids x 16, 16 numbers, r = 10
// texts of 128.
//
//   larr_bench_score TASK FOLDER OUTPUT THREADS    see rounds.h; TASK is
//     warm   the states of all POIs are there
//     cold   each request makes those of its candidates first
//     bf16   warm, with serve_in_bfloat16
//     limit, limit_bf16   the multiplications alone that warm and bf16 do
//   larr_bench_score cost FOLDER THREADS           the cost of a request of N
//     candidates as a + b N, warm
//
// FOLDER gets `ctr`, the model's folder, and `requests.safetensors` with the
// rows of all requests, as a model sees them that knows nothing of requests:
//   ids [N, 20]            rows of all tables, one below the other
//   dense [N, 16], scene [N, 10, 128]
//   columns [464]          where [ids' embeddings | dense | e_s] stand in the
//                          input of the model's first PLE level
// and `candidates` [1], the rows of one request.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/rounds.h"
#include "bench/score_model.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/ctr/model_io.h"
#include "common/ctr/scorer.h"
#include "common/tensors/packed_linear.h"
#include "common/tensors/safetensors.h"

namespace larr::bench {
namespace {

using config::v1::CtrModelDescription;
using torch::Tensor;

constexpr int64_t kRequests = 50;
constexpr int64_t kCandidates = 200;

// The rows of all requests: [R, candidates, ...].
struct Rows {
  Tensor ids;  // Of each feature's own table.
  Tensor dense;
  Tensor scene;
};

// What belongs to user or context is the same in all rows of a request.
Rows MakeRows(const CtrLayout& layout) {
  torch::manual_seed(2);
  const auto rows = [](int64_t width) {
    return std::vector<int64_t>{kRequests, kCandidates, width};
  };
  const auto share = [](Tensor& values, int64_t columns) {
    const Tensor shared = values.narrow(2, 0, columns);
    shared.copy_(shared.narrow(1, 0, 1).clone().expand_as(shared));
  };
  Rows made{
      torch::randint(1, kTableRows, rows(layout.id_count()), torch::kInt64),
      torch::randn(rows(layout.dense_count)),
      torch::randn(rows(layout.slot_count() * kTextDim))};
  const CtrBlock& poi = layout.blocks[2];
  share(made.ids, poi.first_id);
  share(made.dense, poi.first_dense);
  share(made.scene, (kBlocks[0].texts + kBlocks[1].texts) * kTextDim);
  return made;
}

// The columns of a block of one request's rows, of all rows or of the first.
template <typename T>
std::vector<T> Take(const Tensor& rows, int64_t first, int64_t count,
                    bool all) {
  const Tensor part = rows.narrow(1, first, count)
                          .narrow(0, 0, all ? rows.size(0) : 1)
                          .contiguous();
  return {part.const_data_ptr<T>(), part.const_data_ptr<T>() + part.numel()};
}

struct Request {
  RequestColumns columns;
  PoiColumns pois;
};

// Its vectors are views of `rows.scene`.
Request MakeRequest(const CtrLayout& layout, const Rows& rows, int64_t r) {
  const Tensor ids = rows.ids[r], dense = rows.dense[r];
  Request request;
  RequestColumns& columns = request.columns;
  columns.candidates = kCandidates;
  request.pois.count = kCandidates;
  std::vector<int64_t>* all_ids[] = {&columns.user_ids, &columns.context_ids,
                                     &request.pois.ids, &columns.cross_ids};
  std::vector<float>* all_dense[] = {&columns.user_dense,
                                     &columns.context_dense,
                                     &request.pois.dense, &columns.cross_dense};
  std::vector<const float*> no_vectors;
  std::vector<const float*>* all_vectors[] = {
      &columns.user_vectors, &columns.context_vectors, &request.pois.vectors,
      &no_vectors};
  const float* scene = rows.scene[r].const_data_ptr<float>();
  int64_t slot = 0;
  for (size_t b = 0; b < layout.blocks.size(); ++b) {
    const CtrBlock& block = layout.blocks[b];
    const bool by_candidate = b >= 2;
    *all_ids[b] =
        Take<int64_t>(ids, block.first_id, block.id_count, by_candidate);
    *all_dense[b] =
        Take<float>(dense, block.first_dense, block.dense_count, by_candidate);
    for (int64_t n = 0; n < (by_candidate ? kCandidates : 1); ++n)
      for (int64_t s = slot; s < slot + kBlocks[b].texts; ++s)
        all_vectors[b]->push_back(scene +
                                  (n * layout.slot_count() + s) * kTextDim);
    slot += kBlocks[b].texts;
  }
  return request;
}

absl::Status WriteRows(const std::filesystem::path& path,
                       const CtrLayout& layout, const Rows& rows) {
  const Tensor first_rows =
      torch::arange(layout.id_count(), torch::kInt64) * kTableRows;
  return WriteSafetensors(
      path, {{"ids", (rows.ids + first_rows).flatten(0, 1)},
             {"dense", rows.dense.flatten(0, 1)},
             {"scene", rows.scene.view({kRequests * kCandidates,
                                        layout.slot_count(), kTextDim})},
             {"columns", PeerColumns(layout)},
             {"candidates", torch::tensor({kCandidates})}});
}

// The model, all requests, and for each the states of its POIs.
struct Case {
  Scorer scorer;
  Rows rows;
  std::vector<Request> requests;
  std::vector<std::vector<std::byte>> states;

  absl::Status MakeStates(size_t r) {
    return scorer.MakePoiStates(requests[r].pois, states[r]);
  }
  absl::StatusOr<ScorerOutput> Score(size_t r) const {
    std::vector<const std::byte*> of(requests[r].columns.candidates);
    for (size_t n = 0; n < of.size(); ++n)
      of[n] = states[r].data() + n * scorer.poi_state_bytes();
    return scorer.Score(requests[r].columns, of);
  }
};

absl::StatusOr<Case> MakeCase(const std::filesystem::path& folder, int threads,
                              bool bfloat16) {
  std::filesystem::create_directories(folder / "ctr");
  CtrModelDescription description = DescribeScoreModel();
  description.set_serve_in_bfloat16(bfloat16);
  LARR_ASSIGN_OR_RETURN(const auto model, NewCtrModel(description, 1));
  LARR_RETURN_IF_ERROR(SaveCtrModel(folder / "ctr", description, *model));
  LARR_ASSIGN_OR_RETURN(Scorer scorer, Scorer::Open(folder / "ctr", threads));
  Rows rows = MakeRows(scorer.layout());
  LARR_RETURN_IF_ERROR(
      WriteRows(folder / "requests.safetensors", scorer.layout(), rows));
  Case made{std::move(scorer), std::move(rows), {}, {}};
  for (int64_t r = 0; r < kRequests; ++r) {
    made.requests.push_back(MakeRequest(made.scorer.layout(), made.rows, r));
    made.states.emplace_back(kCandidates * made.scorer.poi_state_bytes());
    LARR_RETURN_IF_ERROR(made.MakeStates(r));
  }
  return made;
}

absl::Status ScoreRequests(const Arguments& arguments, bool bfloat16,
                           bool cold) {
  LARR_ASSIGN_OR_RETURN(
      Case made, MakeCase(arguments.folder, arguments.threads, bfloat16));
  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> scores;
    for (size_t r = 0; r < made.requests.size(); ++r) {
      if (cold) LARR_RETURN_IF_ERROR(made.MakeStates(r));
      LARR_ASSIGN_OR_RETURN(const ScorerOutput output, made.Score(r));
      for (int64_t n = 0; n < kCandidates; ++n) {
        scores.push_back(output.ctr[n]);
        scores.push_back(output.ctcvr[n]);
      }
    }
    return scores;
  };
  return ServeRounds(kRequests * kCandidates, round, arguments.output, std::cin,
                     std::cout);
}

// [in, out] of each multiplication that a candidate's row goes through.
constexpr int64_t kShapes[][2] = {
    {128, 128}, {128, 512}, {512, 128}, {128, 128}, {128, 128}, {162, 1550},
    {256, 260}, {256, 260}, {256, 256}, {128, 64},  {128, 64}};

absl::Status MultiplyRows(const Arguments& arguments, torch::ScalarType dtype) {
  at::set_num_threads(arguments.threads);
  std::vector<PackedLinear> layers;
  std::vector<Tensor> inputs;
  for (const auto& [in, out] : kShapes) {
    layers.emplace_back(torch::randn({out, in}).to(dtype), Tensor(),
                        kCandidates);
    inputs.push_back(torch::randn({kCandidates, in}).to(dtype));
  }
  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    const c10::InferenceMode inference;
    for (int64_t r = 0; r < kRequests; ++r)
      for (size_t i = 0; i < layers.size(); ++i) layers[i](inputs[i]);
    return std::vector<float>{0};
  };
  return ServeRounds(kRequests * kCandidates, round, arguments.output, std::cin,
                     std::cout);
}

// Median seconds of a request of the first n candidates.
absl::StatusOr<double> SecondsOf(Case& made, int64_t n) {
  const CtrBlock& cross = made.scorer.layout().blocks[3];
  for (Request& request : made.requests) {
    request.columns.candidates = n;
    request.columns.cross_ids.resize(n * cross.id_count);
    request.columns.cross_dense.resize(n * cross.dense_count);
  }
  std::vector<double> seconds;
  for (int round = 0; round < 10; ++round) {
    for (size_t r = 0; r < made.requests.size(); ++r) {
      const auto begin = std::chrono::steady_clock::now();
      LARR_RETURN_IF_ERROR(made.Score(r).status());
      seconds.push_back(SecondsSince(begin));
    }
  }
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2,
                   seconds.end());
  return seconds[seconds.size() / 2];
}

absl::Status ShowCost(const std::filesystem::path& folder, int threads) {
  LARR_ASSIGN_OR_RETURN(Case made, MakeCase(folder, threads, false));
  double n_sum = 0, t_sum = 0, nn_sum = 0, nt_sum = 0;
  const std::vector<int64_t> counts = {200, 160, 128, 96, 64, 32, 16};
  for (const int64_t n : counts) {
    LARR_ASSIGN_OR_RETURN(const double seconds, SecondsOf(made, n));
    fmt::print("{:>5} candidates {:>8.1f} us\n", n, seconds * 1e6);
    const auto x = static_cast<double>(n);
    n_sum += x, t_sum += seconds, nn_sum += x * x, nt_sum += x * seconds;
  }
  const auto count = static_cast<double>(counts.size());
  const double each =
      (count * nt_sum - n_sum * t_sum) / (count * nn_sum - n_sum * n_sum);
  fmt::print(
      "a + b N: {:.1f} us a request, {:.2f} us a candidate; a POI's "
      "state: {} bytes\n",
      (t_sum - each * n_sum) / count * 1e6, each * 1e6,
      made.scorer.poi_state_bytes());
  return absl::OkStatus();
}

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  using larr::bench::MultiplyRows;
  using larr::bench::ScoreRequests;
  if (argc == 4 && std::string(argv[1]) == "cost") {
    const absl::Status status =
        larr::bench::ShowCost(argv[2], std::atoi(argv[3]));
    if (!status.ok()) fmt::print(stderr, "{}\n", status.ToString());
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  return larr::bench::Main(
      argc, argv,
      {{"warm", [](const auto& a) { return ScoreRequests(a, false, false); }},
       {"cold", [](const auto& a) { return ScoreRequests(a, false, true); }},
       {"bf16", [](const auto& a) { return ScoreRequests(a, true, false); }},
       {"limit",
        [](const auto& a) { return MultiplyRows(a, torch::kFloat32); }},
       {"limit_bf16",
        [](const auto& a) { return MultiplyRows(a, torch::kBFloat16); }}},
      fmt::format("or {} cost FOLDER THREADS\n", argv[0]));
}
