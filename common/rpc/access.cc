// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/invalid_argument.h"
#include "common/base/prefixed.h"
#include "common/base/status_macros.h"

namespace larr {
namespace {

using config::v1::RoleConfig;
using config::v1::ServerConfig;

constexpr std::string_view kHealth = "/grpc.health.v1.Health/";
constexpr std::string_view kReflection = "/grpc.reflection.";
constexpr std::string_view kScheme = "Bearer ";

// The token of an `authorization` header; empty if it has none.
std::string_view TokenOf(std::string_view authorization) {
  return authorization.starts_with(kScheme)
             ? authorization.substr(kScheme.size())
             : std::string_view();
}

absl::Status CheckRole(const ServerConfig& config, const RoleConfig& role,
                       std::string_view name) {
  if (role.certificate_names().empty() ||
      !config.tls().client_ca_file().empty()) {
    return absl::OkStatus();
  }
  return Invalid(
      "server.access.{}.certificate_names is set, but clients are not asked "
      "for certificates; set server.tls.client_ca_file",
      name);
}

}  // namespace

bool Access::Role::Has(const Caller& caller, std::string_view token) const {
  if (anyone || (!token.empty() && tokens->Contains(token))) return true;
  return std::ranges::any_of(certificate_names, [&](const std::string& name) {
    return std::ranges::find(caller.names, name) != caller.names.end();
  });
}

absl::StatusOr<std::unique_ptr<Access>> Access::Create(
    const ServerConfig& config, std::vector<std::string> score_methods) {
  std::unique_ptr<Access> self(new Access);
  self->score_methods_ = std::move(score_methods);
  const config::v1::AccessConfig& access = config.access();
  const auto fill = [&config](const RoleConfig& from, std::string_view name,
                              Role& role) -> absl::Status {
    LARR_RETURN_IF_ERROR(CheckRole(config, from, name));
    role.name = name;
    role.anyone = from.anyone();
    role.certificate_names = {from.certificate_names().begin(),
                              from.certificate_names().end()};
    auto tokens = TokenFiles::Open(
        {from.token_files().begin(), from.token_files().end()});
    if (!tokens.ok()) {
      return Prefixed(fmt::format("server.access.{}.token_files", name),
                      tokens.status());
    }
    role.tokens = *std::move(tokens);
    return absl::OkStatus();
  };
  LARR_RETURN_IF_ERROR(fill(access.score(), "score", self->score_));
  LARR_RETURN_IF_ERROR(fill(access.admin(), "admin", self->admin_));
  LARR_RETURN_IF_ERROR(fill(access.metrics(), "metrics", self->metrics_));
  return self;
}

absl::Status Access::Check(std::string_view method,
                           const Caller& caller) const {
  if (method.starts_with(kHealth)) return absl::OkStatus();
  const std::string_view token = TokenOf(caller.authorization);
  if (admin_.Has(caller, token)) return absl::OkStatus();
  const bool for_score = std::ranges::any_of(
      score_methods_,
      [method](const std::string& path) { return method.starts_with(path); });
  const bool for_all = method.starts_with(kReflection);
  const bool scores = score_.Has(caller, token);
  if ((for_score || for_all) && scores) return absl::OkStatus();
  const bool reads_metrics = metrics_.Has(caller, token);
  if (for_all && reads_metrics) return absl::OkStatus();
  const std::string_view needed = for_score || for_all ? "score" : "admin";
  if (scores || reads_metrics) {
    return absl::PermissionDeniedError(fmt::format(
        "{} asks for the role `{}`, and the caller has `{}`; use a token or a "
        "certificate of server.access.{}",
        method, needed, (scores ? score_ : metrics_).name, needed));
  }
  const std::string_view why =
      !caller.authorization.empty() ? "the token is not known here"
      : !caller.names.empty()       ? "the certificate's names have no role"
                                    : "nothing says who calls";
  return absl::UnauthenticatedError(
      fmt::format("{}: {}; send `authorization: Bearer TOKEN` with a token of "
                  "server.access.{}, or use a certificate that it names",
                  method, why, needed));
}

bool Access::MayReadMetrics(std::string_view token) const {
  return metrics_.Has({}, token) || admin_.Has({}, token);
}

}  // namespace larr
