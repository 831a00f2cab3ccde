// SPDX-License-Identifier: Apache-2.0
//
// Vectors that know of a text only whether it is the same: drawn from its hash,
// normal and of length 1, 128 wide. What a recommender gains by them it gains
// by telling texts apart, not by what they say.
#pragma once

#include <memory>

#include "services/embedding/text_encoder.h"

namespace larr {

std::unique_ptr<TextEncoder> MakeRandomEncoder();

}  // namespace larr
