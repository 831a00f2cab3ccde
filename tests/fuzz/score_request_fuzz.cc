// SPDX-License-Identifier: Apache-2.0
//
// Input: the bytes of a call of Score. Goes as the server does up to the
// model's input: read, checked, encoded on a snapshot. Holds: what is refused
// is refused by a status that fits into a call's metadata; what is accepted
// gives ids within their tables and finite numbers.
#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/rpc/grpc_status.h"
#include "common/rpc/raw_message.h"
#include "common/store/snapshot.h"
#include "services/scoring/request_checker.h"
#include "services/scoring/request_encoder.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/services/scoring/scoring_world.h"
#include "tests/testing/temp_dir.h"

namespace {

using larr::EncodedPoi;
using larr::RequestChecker;
using larr::RequestEncoder;
using larr::scoring::v1::ScoreRequest;
using larr::testing::Require;
using larr::testing::ScoringWorld;

constexpr int kMaxCandidates = 100;
constexpr size_t kMaxStatusBytes = 8192;  // gRPC's limit of metadata

// What a server serves; made once.
class Served {
 public:
  Served()
      : description_(ScoringWorld().Description({})),
        snapshot_(larr::Snapshot::Open(
                      ScoringWorld().MakeSnapshot(folder_.path(), "s"))
                      .value()),
        encoder_(RequestEncoder::Create(description_, *snapshot_).value()),
        checker_(description_, encoder_.tabular()) {
    google::protobuf::SetLogHandler(nullptr);  // as the server
  }

  const RequestEncoder& encoder() const { return encoder_; }
  const RequestChecker& checker() const { return checker_; }

 private:
  const larr::testing::TempDir folder_;
  const larr::config::v1::CtrModelDescription description_;
  const std::unique_ptr<const larr::Snapshot> snapshot_;
  const RequestEncoder encoder_;
  const RequestChecker checker_;
};

void CheckRefusal(const absl::Status& status) {
  Require(absl::IsInvalidArgument(status), "refused as INVALID_ARGUMENT");
  const grpc::Status answer = larr::ToGrpc(status);
  Require(answer.error_message().size() + answer.error_details().size() <
              kMaxStatusBytes,
          "a status that can be sent");
}

void CheckIds(const larr::TabularEncoder& encoder, larr::config::v1::Side side,
              std::span<const int64_t> ids, std::span<const float> dense) {
  const larr::FeatureBlock& block = encoder.block(side);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto column = block.first_id + i % block.id_count;
    const int64_t rows = encoder.categorical()[column].table_size;
    Require(ids[i] >= 0 && ids[i] < rows, "an id within its table");
  }
  for (const float number : dense)
    Require(std::isfinite(number), "a finite number");
}

void CheckInput(const RequestEncoder& encoder, const ScoreRequest& request) {
  std::vector<std::string_view> ids;
  std::vector<const larr::TextMap*> texts;
  for (const auto& candidate : request.candidates()) {
    ids.push_back(candidate.poi_id());
    texts.push_back(&candidate.texts());
  }
  const auto pois = encoder.EncodePois(ids, texts);
  Require(pois.ok(), "POIs can be encoded");
  std::vector<const EncodedPoi*> of_candidate;
  for (const EncodedPoi& poi : pois->pois) of_candidate.push_back(&poi);
  const auto encoded = encoder.Encode(request, of_candidate);
  Require(encoded.ok(), "the request can be encoded");
  const auto& columns = encoded->columns;
  using larr::config::v1::CONTEXT;
  using larr::config::v1::CROSS;
  using larr::config::v1::POI;
  using larr::config::v1::USER;
  const larr::TabularEncoder& tabular = encoder.tabular();
  CheckIds(tabular, USER, columns.user_ids, columns.user_dense);
  CheckIds(tabular, CONTEXT, columns.context_ids, columns.context_dense);
  CheckIds(tabular, CROSS, columns.cross_ids, columns.cross_dense);
  CheckIds(tabular, POI, pois->columns.ids, pois->columns.dense);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Served served;
  const grpc::Slice slice(data, size, grpc::Slice::STATIC_SLICE);
  const grpc::ByteBuffer bytes(&slice, 1);
  google::protobuf::Arena arena;
  auto& request = *google::protobuf::Arena::CreateMessage<ScoreRequest>(&arena);
  absl::Status status = larr::ParseMessage(bytes, request);
  if (status.ok()) status = served.checker().Check(request, kMaxCandidates);
  if (status.ok()) {
    CheckInput(served.encoder(), request);
  } else {
    CheckRefusal(status);
  }
  return 0;
}
