// SPDX-License-Identifier: Apache-2.0
//
// The highest rate at which a server stays within a bound, by doubling, then
// bisection, then confirmation.
//
// A machine's other work now and then makes a good rate look bad, and hardly
// ever a bad one good. So a try that fails is made once more, and a rate fails
// with the second. The rate that bisection leaves must then hold several times
// more; if it does not, it is lowered a little until it does.
//
// Threads:    none of its own.
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace larr::load {

// `holds` tries a rate once; its second argument says whether to confirm.
// Errors: kFailedPrecondition  not even 1 call a second holds, no rate up to a
//                              million fails, or none holds several times
absl::StatusOr<double> FindRate(
    const std::function<bool(double rate, bool confirming)>& holds);

}  // namespace larr::load
