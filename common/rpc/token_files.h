// SPDX-License-Identifier: Apache-2.0
//
// Bearer tokens that are good, out of files with one a line. A file may be
// replaced at any time: it is looked at once a second, and one that is wrong
// leaves its old tokens good. Only hashes are kept, and compared in constant
// time.
//
// Threads: safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file_watch.h"

namespace larr {

// 16 or more visible ASCII characters without spaces: what a header may hold.
bool IsToken(std::string_view line);

class TokenFiles {
 public:
  // The `period` is that of a look at the files.
  // Errors: kInvalidArgument  a file has no token, or one that is too short or
  //                           has other characters than visible ASCII
  //         else              as common/base/files.h has it
  static absl::StatusOr<std::unique_ptr<TokenFiles>> Open(
      const std::vector<std::string>& paths,
      std::chrono::milliseconds period = std::chrono::seconds(1));

  bool Contains(std::string_view token) const;

 private:
  using Hash = std::array<uint8_t, 32>;
  struct Tokens {
    FileWatch file;
    std::vector<Hash> hashes;
    std::string refusal;  // the last one logged
  };

  TokenFiles() = default;
  static absl::StatusOr<std::vector<Hash>> Load(const std::string& path);
  void Refresh() const;  // by mutex_

  std::chrono::milliseconds period_{0};
  mutable std::mutex mutex_;
  mutable std::vector<Tokens> files_;                        // by mutex_
  mutable std::chrono::steady_clock::time_point next_look_;  // by mutex_
};

}  // namespace larr
