// SPDX-License-Identifier: Apache-2.0
#include "common/base/file_watch.h"

#include <sys/stat.h>

#include "common/base/files.h"

namespace larr {

absl::StatusOr<bool> FileWatch::Changed() {
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) {
    return ErrnoStatus("cannot read", path_);
  }
  const Version version{
      info.st_ino, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
      info.st_size};
  if (seen_ == version) return false;
  seen_ = version;
  return true;
}

}  // namespace larr
