// SPDX-License-Identifier: Apache-2.0
//
// TLS files and the token as options of a command line, each with the variable
// of the environment that stands for it.
#pragma once

#include <CLI/CLI.hpp>

#include "common/rpc/client_security.h"

namespace larr::ctl {

void AddSecurityOptions(CLI::App& app, ClientSecurity& security);

}  // namespace larr::ctl
