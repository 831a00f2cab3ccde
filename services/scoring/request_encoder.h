// SPDX-License-Identifier: Apache-2.0
//
// Turns a request into a model's input: ids and numbers by the encoder that
// training used, vectors from the snapshot by text id. What is not stored is
// left to the model's trained defaults, and counted.
//
// The work is divided by side: a user and a context once per request, a POI by
// its id alone (the same for every request on one snapshot), and only crosses
// for each candidate.
//
// Ownership:  borrows the snapshot, which must outlive it.
// Threads:    const methods may be called concurrently without locking.
// Errors:     those of Snapshot's reads.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ctr/scorer_input.h"
#include "common/features/tabular_encoder.h"
#include "common/features/text_renderer.h"
#include "common/store/snapshot.h"
#include "larr/config/v1/model.pb.h"
#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr {

// One side's share of the input: that of a user or a context.
struct SideBlock {
  bool known = false;        // False: an id that the snapshot lacks.
  Row row;                   // In the layout of the side's table.
  std::vector<int64_t> ids;  // The side's block of TabularEncoder.
  std::vector<float> dense;
  std::vector<float> vectors;    // [scene features of the side, dim]
  std::vector<uint8_t> present;  // By scene feature: whether there is a vector.
  std::vector<uint8_t> missing;  // By scene feature: there should be one.
};

// What requests need of a POI beside its columns.
struct EncodedPoi {
  bool known = false;
  Row row;                       // Empty if no cross reads it.
  std::vector<uint8_t> missing;  // As in SideBlock.
};

// POIs by position. `columns` points into `blocks`.
struct EncodedPois {
  std::vector<SideBlock> blocks;
  PoiColumns columns;
  std::vector<EncodedPoi> pois;
};

// What stood in by a default.
struct MissingInputs {
  int users = 0;
  int pois = 0;                      // Counted by candidate.
  std::map<std::string, int> texts;  // By scene feature; of POIs by candidate.
  // Columns of the context that a tabular feature reads and the request lacks.
  std::vector<std::string> context;
};

// A whole request. `columns` points into the blocks.
struct EncodedRequest {
  SideBlock user, context;
  RequestColumns columns;
  MissingInputs missing;
};

class RequestEncoder {
 public:
  // Errors: kInvalidArgument  the description is wrong; the message names it
  static absl::StatusOr<RequestEncoder> Create(
      const config::v1::CtrModelDescription& description,
      const Snapshot& snapshot);

  const TabularEncoder& tabular() const { return tabular_; }

  // False where the dataset has no table of POIs: nobody is known.
  bool has_pois() const { return has_pois_; }

  // Reads and encodes POIs. texts[i]: those that go before the stored ones of
  // ids[i]; none at all for no id.
  absl::StatusOr<EncodedPois> EncodePois(
      std::span<const std::string_view> ids,
      std::span<const TextMap* const> texts = {}) const;

  // pois[n]: of candidate n, by EncodePois.
  // REQUIRES: the request passed RequestChecker::Check
  absl::StatusOr<EncodedRequest> Encode(
      const scoring::v1::ScoreRequest& request,
      std::span<const EncodedPoi* const> pois) const;

 private:
  RequestEncoder(const config::v1::CtrModelDescription& description,
                 const Snapshot& snapshot, TextRenderer renderer,
                 TabularEncoder tabular);
  absl::StatusOr<std::vector<SideBlock>> EncodeEntities(
      config::v1::Side side, std::span<const std::string_view> ids,
      std::span<const TextMap* const> texts) const;
  absl::StatusOr<SideBlock> EncodeContext(
      const scoring::v1::ScoreRequest& request) const;
  // Puts the ids of the texts that a caller gave where others stand.
  void UseTexts(const TextMap& texts, std::span<const int> keywords,
                std::span<std::string> text_ids) const;
  void EncodeTabular(config::v1::Side side, SideBlock& block) const;
  // Reads the vectors of blocks of one side; text_ids: [blocks, its features].
  absl::Status ReadVectors(std::span<const std::string> text_ids,
                           std::span<SideBlock> blocks) const;
  void EncodeCrosses(const scoring::v1::ScoreRequest& request,
                     std::span<const EncodedPoi* const> pois,
                     EncodedRequest& encoded) const;
  void CountMissing(std::span<const EncodedPoi* const> pois,
                    EncodedRequest& encoded) const;

  const Snapshot* snapshot_;
  TextRenderer renderer_;
  TabularEncoder tabular_;
  int64_t text_dim_;  // 0 for a model without texts.
  std::vector<int> user_texts_, context_texts_, poi_texts_;  // Keywords.
  // Where they stand among the texts of the snapshot's entities.
  std::vector<int> stored_user_texts_, stored_poi_texts_;
  std::vector<std::string> keyword_names_;
  std::vector<int> context_columns_;  // That tabular features read.
  bool has_users_, has_pois_;
  bool crosses_read_pois_ = false;
  int user_key_, poi_key_;  // Columns of the impressions' schema, or -1.
};

}  // namespace larr
