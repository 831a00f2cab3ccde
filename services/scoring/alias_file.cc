// SPDX-License-Identifier: Apache-2.0
#include "services/scoring/alias_file.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"

namespace larr {

absl::StatusOr<AliasFile::Version> AliasFile::Stat() const {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) {
    return ErrnoStatus("cannot read the alias", path_);
  }
  return Version{info.st_ino,
                 info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
                 info.st_size};
}

absl::StatusOr<std::optional<config::v1::ServingBundle>> AliasFile::Poll() {
  LARR_ASSIGN_OR_RETURN(const Version version, Stat());
  if (seen_ == version) return std::nullopt;
  seen_ = version;  // what cannot be read now is read when it changes
  LARR_ASSIGN_OR_RETURN(auto bundle,
                        LoadTextProto<config::v1::ServingBundle>(path_));
  if (bundle.fencing_token() <= token_) {
    if (bundle.fencing_token() < token_) {
      spdlog::warn("alias_ignored path={} fencing_token={} newest={}",
                   path_.string(), bundle.fencing_token(), token_);
    }
    return std::nullopt;
  }
  token_ = bundle.fencing_token();
  return bundle;
}

}  // namespace larr
