// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 of what is too long to be held, or to be waited for: piece by piece.
// Of whole strings and files: files.h.
//
// Threads:    a stream belongs to one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/stop_check.h"

namespace larr {

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();

  void Update(std::string_view bytes);
  // 64 lower-case hex digits. Call once, after the last `Update`.
  std::string Finish();

 private:
  struct Context;
  const std::unique_ptr<Context> context_;
};

// As in files.h. `stop` is asked after each MiB.
// Errors: kCancelled if it says so; those of files.h
absl::StatusOr<std::string> Sha256File(const std::filesystem::path& path,
                                       const StopCheck& stop);

}  // namespace larr
