// SPDX-License-Identifier: Apache-2.0
//
// Numbers as reports print them: the one place where they are rounded.
// What is no number prints as `-`.
//
// Threads:  pure functions.
#pragma once

#include <string>

namespace larr::report {

std::string AucText(double value);                   // 0.7168
std::string AucText(double mean, double deviation);  // 0.7168 ± 0.0010
std::string DifferenceText(double value);            // +0.0112
std::string IntervalText(double low, double high);   // [+0.0101, +0.0123]
std::string NumberText(double value);                // three digits
std::string PercentText(double share);               // 12.3 %
std::string CountText(double value);                 // 1,200,000
std::string TimeText(double seconds);                // 1 h 20 min; 12 s

}  // namespace larr::report
