// SPDX-License-Identifier: Apache-2.0
//
// larr_bench_serving: the scoring server over gRPC, with what it reads from
// RocksDB, on the requests of case `score`: 50 of 200 candidates.
//
//   larr_bench_serving prepare FOLDER          makes model, snapshot, requests,
//                                              `scoring.textproto` and the
//                                              peers' rows
//   larr_bench_serving ADDRESS FOLDER OUTPUT THREADS   asks the server there,
//                                              kInFlight requests at a time
//
// bench/serving.py starts the server on one core and this program on another.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "bench/rounds.h"
#include "bench/score_model.h"
#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/ctr/model_files.h"
#include "common/ctr/model_io.h"
#include "common/features/text_renderer.h"
#include "common/rpc/grpc_status.h"
#include "common/store/snapshot.h"
#include "common/store/snapshot_builder.h"
#include "common/tensors/safetensors.h"
#include "larr/config/v1/server.pb.h"
#include "larr/scoring/v1/scoring_service.grpc.pb.h"
#include "services/scoring/request_encoder.h"

namespace larr::bench {
namespace {

namespace fs = std::filesystem;
using scoring::v1::ScoreRequest;
using scoring::v1::ScoreResponse;
using torch::Tensor;

constexpr int kRequests = 50;
constexpr int kCandidates = 200;
constexpr int kUsers = 500;
constexpr int kPois = 2000;
constexpr int kInFlight = 4;

using Columns = google::protobuf::Map<std::string, storage::v1::Value>;

// The columns that a block's features read, drawn at random.
void FillColumns(const Block& block, Columns& columns) {
  for (int i = 0; i < block.ids; ++i)
    columns[fmt::format("{}_id_{}", block.name, i)].set_int_value(
        torch::randint(1'000'000, {1}).item<int64_t>());
  for (int i = 0; i < block.dense; ++i)
    columns[fmt::format("{}_number_{}", block.name, i)].set_double_value(
        torch::randn({1}).item<double>());
}

absl::Status AddTexts(const std::vector<std::string>& texts,
                      SnapshotBuilder& builder) {
  if (texts.empty()) return absl::OkStatus();
  std::vector<std::string> ids;
  for (const std::string& text : texts) ids.push_back(TextId(text));
  const std::vector<std::string_view> views(ids.begin(), ids.end());
  const Tensor vectors =
      torch::randn({static_cast<int64_t>(ids.size()), kTextDim});
  return builder.AddVectors(
      views,
      {vectors.const_data_ptr<float>(), static_cast<size_t>(vectors.numel())},
      1);
}

absl::Status AddEntities(const Block& block, int count,
                         SnapshotBuilder& builder) {
  std::vector<std::string> texts;
  for (int n = 0; n < count; ++n) {
    storage::v1::EntityRow row;
    FillColumns(block, *row.mutable_columns());
    for (int t = 0; t < block.texts; ++t) {
      texts.push_back(fmt::format("{} {} {}", block.name, n, t));
      row.add_text_ids(TextId(texts.back()));
    }
    LARR_RETURN_IF_ERROR(
        builder.AddEntity(block.side, fmt::format("{}{}", block.name, n), row));
  }
  return AddTexts(texts, builder);
}

absl::Status WriteSnapshot(const config::v1::DatasetSpec& spec,
                           const fs::path& folder) {
  fs::remove_all(folder);
  storage::v1::SnapshotInfo info;
  info.set_embedder_fingerprint("bench");
  info.set_dim(kTextDim);
  *info.mutable_scene_features() = spec.scene_features();
  LARR_ASSIGN_OR_RETURN(
      const auto builder,
      SnapshotBuilder::Open(folder.string() + ".work", info, nullptr));
  LARR_RETURN_IF_ERROR(AddEntities(kBlocks[0], kUsers, *builder));
  LARR_RETURN_IF_ERROR(AddEntities(kBlocks[2], kPois, *builder));
  LARR_ASSIGN_OR_RETURN(const auto renderer, TextRenderer::Create(spec));
  for (const int keyword : renderer.SceneFeaturesOf(config::v1::CONTEXT))
    LARR_RETURN_IF_ERROR(AddTexts(renderer.ContextTexts(keyword), *builder));
  return builder->Publish(folder, {}).status();
}

ScoreRequest MakeRequest() {
  const auto draw = [](int64_t end) {
    return torch::randint(end, {1}).item<int64_t>();
  };
  ScoreRequest request;
  request.set_user_id(fmt::format("user{}", draw(kUsers)));
  FillColumns(kBlocks[1], *request.mutable_context());
  for (int t = 0; t < kBlocks[1].texts; ++t)
    (*request.mutable_context())[fmt::format("context_text_{}", t)]
        .set_string_value(fmt::format("value {}", draw(kDomain)));
  for (int n = 0; n < kCandidates; ++n) {
    auto& candidate = *request.add_candidates();
    candidate.set_poi_id(fmt::format("poi{}", draw(kPois)));
    FillColumns(kBlocks[3], *candidate.mutable_values());
  }
  return request;
}

// A request's rows as the peers take them: ids of one matrix, numbers, texts.
absl::Status AppendRows(const ScoreRequest& request, const CtrLayout& layout,
                        const RequestEncoder& encoder,
                        std::vector<int64_t>& ids, std::vector<float>& dense,
                        std::vector<float>& scene) {
  std::vector<std::string_view> keys;
  for (const auto& candidate : request.candidates())
    keys.push_back(candidate.poi_id());
  LARR_ASSIGN_OR_RETURN(const EncodedPois pois, encoder.EncodePois(keys));
  std::vector<const EncodedPoi*> of;
  for (const EncodedPoi& poi : pois.pois) of.push_back(&poi);
  LARR_ASSIGN_OR_RETURN(const EncodedRequest encoded,
                        encoder.Encode(request, of));
  const RequestColumns& columns = encoded.columns;
  const auto append = [](auto& to, const auto& from, int64_t row,
                         int64_t count) {
    to.insert(to.end(), from.begin() + row * count,
              from.begin() + (row + 1) * count);
  };
  const auto& [user, context, poi, cross] = layout.blocks;
  for (int64_t n = 0; n < columns.candidates; ++n) {
    append(ids, columns.user_ids, 0, user.id_count);
    append(ids, columns.context_ids, 0, context.id_count);
    append(ids, pois.columns.ids, n, poi.id_count);
    append(ids, columns.cross_ids, n, cross.id_count);
    append(dense, columns.user_dense, 0, user.dense_count);
    append(dense, columns.context_dense, 0, context.dense_count);
    append(dense, pois.columns.dense, n, poi.dense_count);
    append(dense, columns.cross_dense, n, cross.dense_count);
    std::vector<const float*> vectors = columns.user_vectors;
    vectors.insert(vectors.end(), columns.context_vectors.begin(),
                   columns.context_vectors.end());
    append(vectors, pois.columns.vectors, n, kBlocks[2].texts);
    for (const float* vector : vectors) {
      if (vector == nullptr)
        return absl::InternalError("a text of the bench has no vector");
      scene.insert(scene.end(), vector, vector + kTextDim);
    }
  }
  return absl::OkStatus();
}

absl::Status WriteRows(const fs::path& folder, const CtrLayout& layout,
                       const std::vector<ScoreRequest>& requests) {
  LARR_ASSIGN_OR_RETURN(const auto snapshot,
                        Snapshot::Open(folder / "snapshot"));
  LARR_ASSIGN_OR_RETURN(
      const auto encoder,
      RequestEncoder::Create(DescribeScoreModel(), *snapshot));
  std::vector<int64_t> ids;
  std::vector<float> dense, scene;
  for (const ScoreRequest& request : requests)
    LARR_RETURN_IF_ERROR(
        AppendRows(request, layout, encoder, ids, dense, scene));
  constexpr int64_t kRows = int64_t{kRequests} * kCandidates;
  const Tensor first_rows =
      torch::arange(layout.id_count(), torch::kInt64) * kTableRows;
  return WriteSafetensors(
      folder / "requests.safetensors",
      {{"ids", torch::tensor(ids).view({kRows, -1}) + first_rows},
       {"dense", torch::tensor(dense).view({kRows, -1})},
       {"scene", torch::tensor(scene).view({kRows, -1, kTextDim})},
       {"columns", PeerColumns(layout)},
       {"candidates", torch::tensor({int64_t{kCandidates}})}});
}

absl::Status Prepare(const fs::path& folder) {
  torch::manual_seed(3);
  const auto description = DescribeScoreModel();
  LARR_ASSIGN_OR_RETURN(const auto model, NewCtrModel(description, 1));
  fs::remove_all(folder / "ctr");
  LARR_ASSIGN_OR_RETURN(auto writer, ArtifactWriter::Create(folder / "ctr"));
  LARR_RETURN_IF_ERROR(SaveCtrModel(writer.path(), description, *model));
  config::v1::ArtifactManifest manifest;
  manifest.set_kind(kCtrModelKind);
  manifest.set_embedder_fingerprint("bench");
  LARR_RETURN_IF_ERROR(writer.Finish(manifest).status());
  LARR_RETURN_IF_ERROR(
      WriteSnapshot(description.dataset(), folder / "snapshot"));
  std::vector<ScoreRequest> requests;
  for (int r = 0; r < kRequests; ++r) {
    requests.push_back(MakeRequest());
    LARR_RETURN_IF_ERROR(
        WriteFileAtomically(folder / fmt::format("request_{}", r),
                            requests.back().SerializeAsString()));
  }
  config::v1::ScoringConfig config;
  config.set_model_path(folder / "ctr");
  config.set_snapshot_path(folder / "snapshot");
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.mutable_server()->set_port_file(folder / "port");
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(folder / "scoring.textproto", ToTextProto(config)));
  return WriteRows(folder, model->layout(), requests);
}

// Sends every request once and gathers the scores.
absl::StatusOr<std::vector<float>> SendAll(
    scoring::v1::ScoringService::Stub& stub,
    const std::vector<ScoreRequest>& requests) {
  std::vector<ScoreResponse> responses(requests.size());
  std::vector<grpc::Status> statuses(requests.size());
  std::atomic<size_t> next = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < kInFlight; ++i) {
    senders.emplace_back([&] {
      for (size_t r = next++; r < requests.size(); r = next++) {
        grpc::ClientContext context;
        statuses[r] = stub.Score(&context, requests[r], &responses[r]);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  std::vector<float> scores;
  for (size_t r = 0; r < requests.size(); ++r) {
    if (!statuses[r].ok())
      return absl::UnavailableError(statuses[r].error_message());
    for (const auto& score : responses[r].scores()) {
      scores.push_back(score.ctr());
      scores.push_back(score.ctcvr());
    }
  }
  return scores;
}

absl::Status Ask(const std::string& address, const Arguments& arguments) {
  std::vector<ScoreRequest> requests(kRequests);
  for (int r = 0; r < kRequests; ++r) {
    LARR_ASSIGN_OR_RETURN(
        const std::string bytes,
        ReadFile(arguments.folder / fmt::format("request_{}", r)));
    if (!requests[r].ParseFromString(bytes))
      return absl::DataLossError(fmt::format("request_{} is damaged", r));
  }
  const auto stub = scoring::v1::ScoringService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  return ServeRounds(
      int64_t{kRequests} * kCandidates,
      [&] { return SendAll(*stub, requests); }, arguments.output, std::cin,
      std::cout);
}

}  // namespace
}  // namespace larr::bench

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "prepare") {
    const absl::Status status = larr::bench::Prepare(argv[2]);
    if (!status.ok())
      fmt::print(stderr, "larr_bench_serving: {}\n", status.ToString());
    return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  if (argc != 5) {
    fmt::print(stderr,
               "usage: {} prepare FOLDER\n"
               "       {} ADDRESS FOLDER OUTPUT THREADS\n",
               argv[0], argv[0]);
    return 2;
  }
  const std::string address = argv[1];
  return larr::bench::Main(argc - 1, argv + 1,
                           [&](const larr::bench::Arguments& arguments) {
                             return larr::bench::Ask(address, arguments);
                           });
}
