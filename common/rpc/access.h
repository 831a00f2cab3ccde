// SPDX-License-Identifier: Apache-2.0
//
// Who may call what: the roles of a caller, by the names in its certificate and
// by its bearer token, and the role that a method asks for.
//
// Threads: safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/token_files.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// What is known of a caller.
struct Caller {
  // Common name and alternative names of a certificate that was verified.
  std::vector<std::string_view> names;
  std::string_view authorization;  // the header: `Bearer TOKEN`, or empty
};

class Access {
 public:
  // `score_methods`: methods that the role `score` may call, as beginnings of
  // their paths, e.g. `/larr.scoring.v1.ScoringService/`. Reflection is for all
  // roles, the health service for everybody, and the rest for `admin`.
  // Errors: kInvalidArgument  of a setting; others: of a file of tokens
  static absl::StatusOr<std::unique_ptr<Access>> Create(
      const config::v1::ServerConfig& config,
      std::vector<std::string> score_methods);

  // Whether everybody may do everything.
  bool is_open() const { return admin_.anyone; }

  // Errors: kUnauthenticated   who calls is not known; a token is unknown
  //         kPermissionDenied  the caller's roles do not allow it
  absl::Status Check(std::string_view method, const Caller& caller) const;

  // Whether a token is of the role `metrics` or `admin`.
  bool MayReadMetrics(std::string_view token) const;

 private:
  struct Role {
    std::string_view name;
    bool anyone = false;
    std::vector<std::string> certificate_names;
    std::unique_ptr<TokenFiles> tokens;

    bool Has(const Caller& caller, std::string_view token) const;
  };

  Access() = default;

  std::vector<std::string> score_methods_;
  Role score_, admin_, metrics_;
};

}  // namespace larr
