// SPDX-License-Identifier: Apache-2.0
//
// The page that shows a report: page.html, self-contained, drawn by the script
// inside it.
//
// Threads:  pure functions.
#pragma once

#include <string>
#include <string_view>

namespace larr::report {

// `json`: what is reported. `script`: a JavaScript function `pageOf`, which
// makes the page's document of that; page.html says what it may call and what
// a document is.
std::string RenderPage(const std::string& json, std::string_view script);

}  // namespace larr::report
