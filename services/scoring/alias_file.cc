// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/alias_file.h"

#include <spdlog/spdlog.h>

#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {

absl::StatusOr<std::optional<config::v1::ServingBundle>> AliasFile::Poll() {
  LARR_ASSIGN_OR_RETURN(const bool changed, watch_.Changed());
  if (!changed) return std::nullopt;
  auto loaded = LoadTextProto<config::v1::ServingBundle>(path());
  if (!loaded.ok()) {
    // What is wrong stays so until it changes; what could not be read may not.
    if (!absl::IsInvalidArgument(loaded.status())) watch_.Forget();
    return loaded.status();
  }
  config::v1::ServingBundle& bundle = *loaded;
  if (bundle.fencing_token() < 1)
    return Invalid(
        "{}: `fencing_token` is {}; the coordinator writes one that grows with "
        "every move, from 1 on",
        path().string(), bundle.fencing_token());
  if (bundle.fencing_token() <= token_) {
    if (bundle.fencing_token() < token_) {
      spdlog::warn("alias_ignored path={} fencing_token={} newest={}",
                   path().string(), bundle.fencing_token(), token_);
    }
    return std::nullopt;
  }
  token_ = bundle.fencing_token();
  return bundle;
}

}  // namespace larr
