// SPDX-License-Identifier: Apache-2.0
//
// The PEM files of a server's TLS, checked, and followed as they are replaced.
//
// Errors:  kInvalidArgument    a setting is missing, or a file is not what it
//                              should be
//          kFailedPrecondition the key is not that of the certificate
//          else                as common/base/files.h has it
//          Messages name setting, file and what to do.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/file_watch.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// As PEM.
struct TlsFiles {
  std::string certificate_chain;
  std::string private_key;
  std::string client_cas;  // empty: clients show no certificate
  absl::Time end;          // of the first certificate
};

absl::StatusOr<TlsFiles> LoadTlsFiles(const config::v1::TlsConfig& config);

// The newest files that were right. A pair that is half-written or does not
// match is logged once and never given out.
//
// Threads: safe.
class TlsFileWatch {
 public:
  static absl::StatusOr<std::unique_ptr<TlsFileWatch>> Open(
      const config::v1::TlsConfig& config);

  // When the certificate that is given out ends.
  absl::Time end() const;

  // The files, on the first call and where they were replaced since the last
  // one that gave some. Costs a stat a file.
  std::optional<TlsFiles> Next();

 private:
  explicit TlsFileWatch(const config::v1::TlsConfig& config);
  bool Changed();  // by mutex_

  const config::v1::TlsConfig config_;
  mutable std::mutex mutex_;
  std::vector<FileWatch> watches_;   // by mutex_
  bool unread_ = true;               // by mutex_
  absl::Time end_;                   // by mutex_
  std::string refusal_;              // by mutex_; the last one logged
  std::optional<TlsFiles> current_;  // by mutex_; not given out yet
};

}  // namespace larr
