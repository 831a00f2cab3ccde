// SPDX-License-Identifier: Apache-2.0
//
// The artifact that a CTR model is (model_io.h), for who reads of it what needs
// no LibTorch.
#pragma once

namespace larr {

inline constexpr char kCtrModelKind[] = "ctr_model";
inline constexpr char kCtrWeightsFile[] = "model.safetensors";
// A CtrModelDescription; a P5's folder has it, too.
inline constexpr char kCtrDescriptionFile[] = "model.textproto";

}  // namespace larr
