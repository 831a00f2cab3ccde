// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/alias_file.h"

#include <spdlog/spdlog.h>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {

absl::StatusOr<std::optional<config::v1::ServingBundle>> AliasFile::Poll() {
  LARR_ASSIGN_OR_RETURN(const bool changed, watch_.Changed());
  if (!changed) return std::nullopt;  // what cannot be read is so till then
  LARR_ASSIGN_OR_RETURN(auto bundle,
                        LoadTextProto<config::v1::ServingBundle>(path()));
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
