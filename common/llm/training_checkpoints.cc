// SPDX-License-Identifier: Apache-2.0
#include "common/llm/training_checkpoints.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/tensors/torch_status.h"

namespace larr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr char kTemporary[] = ".tmp";
constexpr char kState[] = "training_state";  // Beside what learns.

// -1 for a name that is not a checkpoint's.
int64_t StepOf(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix)) return -1;
  const std::string digits = name.substr(kPrefix.size());
  if (digits.empty() || digits.size() > 18 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return -1;
  return std::stoll(digits);
}

// None of a folder that is not there.
absl::StatusOr<std::vector<fs::path>> Entries(const fs::path& folder) {
  std::error_code error;
  if (fs::status(folder, error).type() == fs::file_type::not_found)
    return std::vector<fs::path>();
  return ListFolder(folder);
}

absl::Status Remove(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? FileStatus("cannot remove", path, error) : absl::OkStatus();
}

// Of all that a file holds.
std::string Checksum(const std::map<std::string, torch::Tensor>& tensors,
                     const std::string& identity) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(
      XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  XXH3_64bits_update(hash.get(), identity.data(), identity.size());
  for (const auto& [name, tensor] : tensors) {
    const auto plain = tensor.detach().cpu().contiguous();
    XXH3_64bits_update(hash.get(), name.data(), name.size());
    XXH3_64bits_update(hash.get(), plain.const_data_ptr(), plain.nbytes());
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(hash.get()));
}

std::string Metadata(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

absl::Status Verify(const SafetensorsFile& file) {
  return GuardTorch("checking a checkpoint", [&]() -> absl::Status {
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& name : file.names()) {
      LARR_ASSIGN_OR_RETURN(tensors[name], file.View(name));
    }
    if (Metadata(file, "xxh3") == Checksum(tensors, Metadata(file, "identity")))
      return absl::OkStatus();
    return absl::DataLossError(fmt::format(
        "{}: the checksum is not that of its bytes", file.path().string()));
  });
}

}  // namespace

fs::path TrainingCheckpoints::PathOf(int64_t step) const {
  return folder_ / fmt::format("{}{:08d}", kPrefix, step);
}

std::string TrainingCheckpoints::FileName() const {
  return fmt::format("rank-{}-of-{}.safetensors", rank_.rank, rank_.count);
}

absl::Status TrainingCheckpoints::Together(const absl::Status& mine) const {
  LARR_ASSIGN_OR_RETURN(const bool all, rank_.all(mine.ok()));
  if (all || !mine.ok()) return mine;
  return absl::UnavailableError(fmt::format(
      "{}: another process could not read or write its part of a checkpoint; "
      "its log says why",
      folder_.string()));
}

absl::StatusOr<std::vector<int64_t>> TrainingCheckpoints::Steps() const {
  auto steps = OwnSteps();
  LARR_RETURN_IF_ERROR(Together(steps.status()));
  LARR_ASSIGN_OR_RETURN(const int64_t count, rank_.first(std::ssize(*steps)));
  steps->resize(count);
  for (int64_t& step : *steps) {
    LARR_ASSIGN_OR_RETURN(step, rank_.first(step));
  }
  return steps;
}

absl::StatusOr<std::vector<int64_t>> TrainingCheckpoints::OwnSteps() const {
  std::vector<int64_t> steps;
  LARR_ASSIGN_OR_RETURN(const auto entries, Entries(folder_));
  for (const auto& entry : entries) {
    const int64_t step = StepOf(entry);
    if (step >= 0) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  return steps;
}

absl::StatusOr<SafetensorsFile> TrainingCheckpoints::Read(
    int64_t step, const std::string& identity) const {
  const fs::path folder = PathOf(step), path = folder / FileName();
  LARR_ASSIGN_OR_RETURN(const auto entries, Entries(folder));
  if (!entries.empty() &&
      std::find(entries.begin(), entries.end(), path) == entries.end()) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: is of another number of processes than {}; start as many as it "
        "has files, or remove it to start anew",
        folder.string(), rank_.count));
  }
  LARR_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path));
  LARR_RETURN_IF_ERROR(Verify(file));
  if (Metadata(file, "identity") != identity) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: is of a run with other settings or inputs; remove {} to start "
        "anew",
        path.string(), folder_.string()));
  }
  return file;
}

absl::StatusOr<std::string> TrainingCheckpoints::StateOf(
    const SafetensorsFile& file) {
  LARR_ASSIGN_OR_RETURN(const auto bytes, file.View(kState));
  return std::string(static_cast<const char*>(bytes.const_data_ptr()),
                     bytes.nbytes());
}

absl::Status TrainingCheckpoints::Write(
    int64_t step, const std::string& identity,
    const std::map<std::string, torch::Tensor>& tensors,
    const std::string& state) const {
  fs::path aside = PathOf(step);
  aside += kTemporary;
  const auto make = [&]() -> absl::Status {
    if (rank_.rank != 0) return absl::OkStatus();
    LARR_RETURN_IF_ERROR(Remove(aside));
    return MakeFolder(aside);
  };
  LARR_RETURN_IF_ERROR(Together(make()));
  // As a tensor: a header has its bounds, and the state grows with the steps.
  std::map<std::string, torch::Tensor> all = tensors;
  std::string bytes = state;
  all[kState] =
      torch::from_blob(bytes.data(), {std::ssize(bytes)}, torch::kUInt8);
  const auto write = [&] {
    return GuardTorch("writing a checkpoint", [&] {
      return WriteSafetensors(
          aside / FileName(), all,
          {{"identity", identity}, {"xxh3", Checksum(all, identity)}});
    });
  };
  LARR_RETURN_IF_ERROR(Together(write()));
  return Together(rank_.rank == 0 ? Rename(step) : absl::OkStatus());
}

absl::Status TrainingCheckpoints::Rename(int64_t step) const {
  const fs::path path = PathOf(step);
  fs::path aside = path;
  aside += kTemporary;
  LARR_RETURN_IF_ERROR(Remove(path));  // a damaged one
  if (std::rename(aside.c_str(), path.c_str()) != 0)
    return ErrnoStatus("cannot rename to", path);
  return SyncFolder(folder_);
}

absl::Status TrainingCheckpoints::Keep(int64_t step, int count,
                                       int64_t best) const {
  if (rank_.rank != 0) return absl::OkStatus();
  int kept = 0;
  LARR_ASSIGN_OR_RETURN(const auto steps, OwnSteps());
  for (const int64_t other : steps) {
    const bool among_newest = other <= step && kept++ < count;
    if (!among_newest && other != best)
      LARR_RETURN_IF_ERROR(Remove(PathOf(other)));
  }
  LARR_ASSIGN_OR_RETURN(const auto entries, Entries(folder_));
  for (const auto& entry : entries) {
    if (entry.extension() == kTemporary) LARR_RETURN_IF_ERROR(Remove(entry));
  }
  return absl::OkStatus();
}

}  // namespace larr
