// SPDX-License-Identifier: Apache-2.0
//
// A dataset as a recommender sees it that does not read all of its features
// (`AlignConfig.left_out_features`).
//
// Threads:  safe.
// Errors:   kInvalidArgument  names the feature that the dataset does not have
#pragma once

#include "absl/status/statusor.h"
#include "larr/config/v1/dataset.pb.h"
#include "larr/config/v1/training.pb.h"

namespace larr {

// The spec without the tabular and scene features that are left out, their
// names in `user_embedding_features` and `poi_embedding_features` included.
// Keywords stay, for texts are rendered as before.
absl::StatusOr<config::v1::DatasetSpec> WithoutLeftOutFeatures(
    config::v1::DatasetSpec dataset, const config::v1::AlignConfig& align);

}  // namespace larr
