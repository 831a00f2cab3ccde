// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_score: `Scorer`, what the scoring service runs, on requests of
// 200 candidates. LARR with a two-level PLE: 20 ids x 16, 16 numbers, r = 10
// texts of 128.
//
// FOLDER gets `ctr`, the model's folder, and `requests.safetensors` with the
// rows of all requests, as a model sees them that knows nothing of requests:
//   ids [N, 20]            rows of all tables, one below the other
//   dense [N, 16], scene [N, 10, 128]
//   columns [464]          where [ids' embeddings | dense | e_s] stand in the
//                          input of the model's first PLE level
// and `candidates` [1], the rows of one request.
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "bench/rounds.h"
#include "common/base/status_macros.h"
#include "common/ctr/model_io.h"
#include "common/ctr/scorer.h"
#include "common/tensors/safetensors.h"

namespace larr::bench {
namespace {

using config::v1::CtrModelDescription;
using torch::Tensor;

constexpr int64_t kRequests = 50;
constexpr int64_t kCandidates = 200;
constexpr int64_t kTextDim = 128;
constexpr int64_t kTableRows = 10'000;

// One block of the model's input: how many ids, numbers and texts it has, and
// how many of its ids' embeddings are part of e_t.
struct Block {
  config::v1::Side side;
  const char* name;
  int ids, dense, texts, targets;
};
constexpr Block kBlocks[] = {{config::v1::USER, "user", 8, 4, 3, 4},
                             {config::v1::CONTEXT, "context", 4, 4, 3, 0},
                             {config::v1::POI, "poi", 6, 6, 4, 4},
                             {config::v1::CROSS, "cross", 2, 2, 0, 0}};

void AddBlock(const Block& block, CtrModelDescription& description) {
  auto& spec = *description.mutable_dataset();
  const auto column = [&](const std::string& name) {
    return (block.side == config::v1::CROSS ? "impressions." : "") + name;
  };
  const auto add_feature = [&](const std::string& name) {
    auto& feature = *spec.add_tabular_features();
    feature.set_name(name);
    feature.set_side(block.side);
    auto& learned = *description.add_features();
    learned.set_name(name);
    learned.set_deviation(1);
    return &feature;
  };
  for (int i = 0; i < block.ids; ++i) {
    const std::string name = fmt::format("{}_id_{}", block.name, i);
    auto& hash = *add_feature(name)->mutable_hash();
    hash.add_columns(column(name));
    hash.set_buckets(kTableRows);
    if (i < block.targets)
      (block.side == config::v1::USER ? spec.add_user_embedding_features()
                                      : spec.add_poi_embedding_features())
          ->assign(name);
  }
  for (int i = 0; i < block.dense; ++i) {
    const std::string name = fmt::format("{}_number_{}", block.name, i);
    add_feature(name)->mutable_dense()->set_column(column(name));
  }
  for (int i = 0; i < block.texts; ++i) {
    const std::string name = fmt::format("{}_text_{}", block.name, i);
    auto& keyword = *spec.add_keywords();
    keyword.set_name(name);
    keyword.set_side(block.side);
    spec.add_scene_features(name);
  }
}

CtrModelDescription Describe() {
  CtrModelDescription description;
  description.set_name("larr");
  description.set_has_order_task(true);
  description.set_text_dim(kTextDim);
  description.mutable_architecture()->set_kind(
      config::v1::CtrArchitecture::LARR);
  for (const Block& block : kBlocks) AddBlock(block, description);
  return description;
}

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

// Its vectors are views of `rows.scene`.
ScorerInput MakeRequest(const CtrLayout& layout, const Rows& rows, int64_t r) {
  const Tensor ids = rows.ids[r], dense = rows.dense[r];
  ScorerInput input;
  input.candidates = kCandidates;
  std::vector<int64_t>* all_ids[] = {&input.user_ids, &input.context_ids,
                                     &input.poi_ids, &input.cross_ids};
  std::vector<float>* all_dense[] = {&input.user_dense, &input.context_dense,
                                     &input.poi_dense, &input.cross_dense};
  std::vector<const float*>* all_vectors[] = {
      &input.user_vectors, &input.context_vectors, &input.poi_vectors};
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
  return input;
}

Tensor PeerColumns(const CtrLayout& layout) {
  std::vector<int64_t> ids, dense;
  const auto append = [](std::vector<int64_t>& to, int64_t first,
                         int64_t count) {
    to.resize(to.size() + count);
    std::iota(to.end() - count, to.end(), first);
  };
  for (const CtrBlock& block : layout.blocks) {
    const int64_t width = block.id_count * layout.embedding_width;
    append(ids, block.first_column, width);
    append(dense, block.first_column + width, block.dense_count);
  }
  ids.insert(ids.end(), dense.begin(), dense.end());
  append(ids, layout.tabular_columns, layout.target_width());
  return torch::tensor(ids, torch::kInt64);
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

absl::Status Run(const Arguments& arguments) {
  const auto folder = arguments.folder / "ctr";
  std::filesystem::create_directories(folder);
  const CtrModelDescription description = Describe();
  LARR_ASSIGN_OR_RETURN(const auto model, NewCtrModel(description, 1));
  LARR_RETURN_IF_ERROR(SaveCtrModel(folder, description, *model));
  LARR_ASSIGN_OR_RETURN(const Scorer scorer,
                        Scorer::Open(folder, arguments.threads));
  const CtrLayout& layout = scorer.layout();
  const Rows rows = MakeRows(layout);
  LARR_RETURN_IF_ERROR(
      WriteRows(arguments.folder / "requests.safetensors", layout, rows));
  std::vector<ScorerInput> requests;
  for (int64_t r = 0; r < kRequests; ++r)
    requests.push_back(MakeRequest(layout, rows, r));

  const Round round = [&]() -> absl::StatusOr<std::vector<float>> {
    std::vector<float> scores;
    for (const ScorerInput& request : requests) {
      LARR_ASSIGN_OR_RETURN(const ScorerOutput output, scorer.Score(request));
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

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  return larr::bench::Main(argc, argv, larr::bench::Run);
}
