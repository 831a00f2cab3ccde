// SPDX-License-Identifier: Apache-2.0
//
// Training rows to the steps of P5: rows in the seeded order that ALIGN reads
// them in, as prompts. A step takes rows until the next one's prompt would
// exceed `p5.tokens_per_step`, and none of two epochs.
//
// A step follows from settings, data and the steps before it; where it begins
// is a small object that goes into a checkpoint.
//
// Ownership: what the constructor is given stays the caller's, and must outlive
//            the object.
// Threads:   one at a time.
// Errors:    those of ImpressionStream and the tokenizer
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/impression_stream.h"
#include "common/llm/p5_prompt.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/p5_text.h"

namespace larr::stage {

struct P5Step {
  std::vector<P5Prompt> prompts;
  std::vector<int32_t> answers;  // [tasks, N] tokens, the first task's first
  int64_t tokens = 0;

  int64_t rows() const { return static_cast<int64_t>(prompts.size()); }
};

class P5Rows {
 public:
  // `config` is complete and has `p5`.
  P5Rows(const Dataset& dataset, const config::v1::AlignConfig& config,
         uint64_t seed, const P5Text& text, const P5Prompts& prompts)
      : dataset_(dataset),
        config_(config),
        seed_(seed),
        text_(text),
        prompts_(prompts) {}

  // The next step; without rows after the last epoch.
  absl::StatusOr<P5Step> Next();

  // Where the next step begins.
  nlohmann::json position() const;
  void Seek(const nlohmann::json& position);

 private:
  struct Labelled {
    P5Prompt prompt;
    bool click = false;
    bool order = false;  // and click
  };
  // The next row of the epoch; nothing at its end.
  absl::StatusOr<std::optional<Labelled>> Read();
  void Add(std::vector<Labelled> rows, P5Step& step) const;

  const Dataset& dataset_;
  const config::v1::AlignConfig& config_;
  const uint64_t seed_;
  const P5Text& text_;
  const P5Prompts& prompts_;
  int64_t epoch_ = 0;
  int64_t rows_ = 0;  // of the epoch, in steps that Next gave
  std::optional<ImpressionStream> stream_;
  std::optional<Labelled> ahead_;  // read, but of the next step
  Impression row_;
};

}  // namespace larr::stage
