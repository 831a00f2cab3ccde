// SPDX-License-Identifier: Apache-2.0
//
// The texts of a dataset that are to have vectors, and the users and POIs that
// they are of. What a refresh encodes and what `larrctl dataset texts` writes
// is this, so that the two never differ.
//
//   texts     scene features of users and POIs on every day that training or
//             the test reads, every context text, and each POI's comprehensive
//             text (paper eq. 18)
//   entities  users and POIs as of one day, for serving; where impressions
//             bring them, each as of the last day that it came on
//
// Errors: kInvalidArgument  the dataset is wrong, or has no such day
//         and those of the callbacks, which end the reading
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/dataset/dataset_spec.h"

namespace larr {

// By side, the partition that entities are stored as of; a side without a
// table is not there. `as_of_date` empty: the newest.
absl::StatusOr<std::map<config::v1::Side, std::string>> EntityDays(
    const Dataset& dataset, const std::string& as_of_date);

// A user or a POI, and the partition `date` that it is of. Refers to what lives
// for the call.
struct EntityTexts {
  config::v1::Side side;
  const std::string& key;
  const Row& row;
  const std::string& date;
  // Of its scene features, in their order; empty where it lacks the text.
  const std::vector<std::string>& text_ids;
  // Of a POI: its comprehensive text, or empty.
  const std::string& description;
};

// Calls `on_text` for every text, with its id (TextId); equal ones come again,
// empty ones never. A POI's comprehensive text comes before the POI.
absl::Status ReadDatasetTexts(
    const Dataset& dataset, const std::map<config::v1::Side, std::string>& days,
    const std::function<absl::Status(std::string id, std::string text)>&
        on_text,
    const std::function<absl::Status(const EntityTexts&)>& on_entity);

// A text as other programs get it: the name of its slot and what stands between
// the slot's tokens. A text of several slots has no name and is whole.
struct SlotText {
  std::string slot;
  std::string text;
};
SlotText SplitSlot(const std::string& text);

}  // namespace larr
