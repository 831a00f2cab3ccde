// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the demo share: where things are, what is to be done, and
// which parts are done already.
//
// Threads: one.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "larr/config/v1/training.pb.h"

namespace larr::demo {

using Json = nlohmann::ordered_json;

// The last day of the city, whose requests are replayed, and the next one,
// on which the catalogue changes.
inline constexpr char kLastDay[] = "2025-04-13";
inline constexpr char kNextDay[] = "2025-04-14";

struct DemoOptions {
  std::filesystem::path out = "out/demo";
  std::string size = "demo";         // `demo` or `tiny`
  std::filesystem::path base_model;  // Empty: the one of the size.
};

// `path` as it is called from here: relative if it lies below.
std::string ShortPath(const std::filesystem::path& path);

class Demo {
 public:
  // Makes the folder, or finds it from an earlier run of the same settings.
  // Errors: kNotFound            the language model is not there
  //         kFailedPrecondition  the folder is of other settings
  static absl::StatusOr<Demo> Open(const DemoOptions& options);

  const std::string& size() const { return size_; }
  const config::v1::TrainingSpec& training() const { return training_; }
  std::filesystem::path path(const std::string& name) const {
    return out_ / name;
  }
  std::filesystem::path log(const std::string& name) const {
    return out_ / "logs" / (name + ".log");
  }

  // What the part `name` has to say: from an earlier run, or from `work` now.
  // `seconds` is added, what the part took in the run that finished it.
  // `estimate`: what it takes at size `demo` on 2 cores, e.g. `1 min`.
  absl::StatusOr<Json> Part(const std::string& name, const std::string& title,
                            const std::string& estimate,
                            const std::function<absl::StatusOr<Json>()>& work);

 private:
  Demo() = default;
  absl::Status CheckSettings() const;

  std::filesystem::path out_;
  std::string size_;
  config::v1::TrainingSpec training_;
  int parts_begun_ = 0;
};

}  // namespace larr::demo
