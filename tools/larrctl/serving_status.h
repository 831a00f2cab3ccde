// SPDX-License-Identifier: Apache-2.0
//
// What a scoring server serves, for people, at a glance: versions and their
// ages, arms with calls, cache and drift, the queue, and what was refused.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "larr/scoring/v1/scoring_service.pb.h"

namespace larr::ctl {

// Ages are those at `now`; not set: of this moment.
std::string ServingStatusText(const scoring::v1::ServingState& state,
                              const google::protobuf::Timestamp& now = {});

}  // namespace larr::ctl
