// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/demo.h"

#include <fmt/format.h>

#include <chrono>

#include "common/base/files.h"
#include "common/base/seconds_since.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "tools/demo/embedded.h"
#include "tools/programs/interrupts.h"

namespace larr::demo {
namespace {

constexpr int kParts = 5;

// What makes the folder of another run useless.
std::string Settings(const std::string& size,
                     const config::v1::TrainingSpec& training) {
  return fmt::format("# ./larr demo --size={}\n{}", size,
                     ToTextProto(training));
}

absl::StatusOr<config::v1::TrainingSpec> LoadTraining(
    const DemoOptions& options, const std::filesystem::path& out) {
  const bool tiny = options.size == "tiny";
  LARR_ASSIGN_OR_RETURN(auto training,
                        ParseTextProto<config::v1::TrainingSpec>(
                            std::string(tiny ? kTinyTraining : kDemoTraining)));
  const std::filesystem::path model = !options.base_model.empty()
                                          ? options.base_model
                                      : tiny ? "tests/golden/tiny_llama"
                                             : ".deps/models/smollm2-135m";
  if (!std::filesystem::is_directory(model)) {
    return absl::NotFoundError(fmt::format(
        "there is no language model in {}: run `./larr setup` in the checkout, "
        "or name one with --model",
        model.string()));
  }
  training.set_base_model(std::filesystem::canonical(model).string());
  training.set_dataset((out / "city" / "dataset.textproto").string());
  return training;
}

}  // namespace

std::string ShortPath(const std::filesystem::path& path) {
  const auto here = std::filesystem::current_path() / "";
  const std::string text = path.string();
  return text.starts_with(here.string()) ? text.substr(here.string().size())
                                         : text;
}

absl::StatusOr<Demo> Demo::Open(const DemoOptions& options) {
  Demo demo;
  LARR_RETURN_IF_ERROR(MakeFolder(options.out / "logs"));
  demo.out_ = std::filesystem::canonical(options.out);
  demo.size_ = options.size;
  LARR_ASSIGN_OR_RETURN(demo.training_, LoadTraining(options, demo.out_));
  LARR_RETURN_IF_ERROR(MakeFolder(demo.out_ / "parts"));
  LARR_RETURN_IF_ERROR(MakeFolder(demo.out_ / "config"));
  LARR_RETURN_IF_ERROR(demo.CheckSettings());
  return demo;
}

absl::Status Demo::CheckSettings() const {
  const auto path = out_ / "settings.textproto";
  const std::string settings = Settings(size_, training_);
  const auto earlier = ReadFile(path);
  if (absl::IsNotFound(earlier.status())) {
    return WriteFileAtomically(path, settings);
  }
  if (!earlier.ok()) return earlier.status();
  if (*earlier == settings) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} holds a demo of other settings: remove it, or choose another folder "
      "with --out",
      out_.string()));
}

absl::StatusOr<Json> Demo::Part(
    const std::string& name, const std::string& title,
    const std::string& estimate,
    const std::function<absl::StatusOr<Json>()>& work) {
  LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
  ++parts_begun_;
  const auto path = out_ / "parts" / (name + ".json");
  const auto text = ReadFile(path);
  if (text.ok()) {
    Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      fmt::print("== {}/{} {}: done already\n", parts_begun_, kParts, title);
      return json;
    }
  }
  fmt::print("== {}/{} {}{}\n", parts_begun_, kParts, title,
             size_ == "demo" ? ", about " + estimate : "");
  const auto begin = std::chrono::steady_clock::now();
  LARR_ASSIGN_OR_RETURN(Json json, work());
  json["seconds"] = SecondsSince(begin);
  LARR_RETURN_IF_ERROR(WriteFileAtomically(path, json.dump(2) + "\n"));
  return json;
}

}  // namespace larr::demo
