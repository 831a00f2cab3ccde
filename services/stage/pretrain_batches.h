// SPDX-License-Identifier: Apache-2.0
//
// What the steps of stage 1 read: descriptions D = [x, y] (paper eq. 5 and 6)
// in the order of an epoch, and general documents between them at their share.
// A step is full after `descriptions_per_step` texts, or before the text that
// would exceed `tokens_per_step`. No text is split over two steps, and none is
// filled up: a step's tokens lie one text after another (packed_batch.h).
//
// A step follows from the settings, the seed and the steps before it; where it
// begins is a small object that goes into a checkpoint.
//
// Ownership: configuration, tokenizer and corpora stay the caller's, and must
//            outlive the object.
// Threads:   one at a time.
// Errors:    those of general_corpus.h and of the tokenizer, with the document
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/llm/language_loss.h"
#include "common/llm/tokenizer.h"
#include "larr/config/v1/training.pb.h"
#include "services/stage/corpus_files.h"
#include "services/stage/general_corpus.h"
#include "services/stage/sampling.h"

namespace larr::stage {

// D = [x, y] as at most `max_tokens` tokens. y begins with a special token, so
// that the two can be cut apart.
absl::StatusOr<Description> TokenizeDescription(const Tokenizer& tokenizer,
                                                const CorpusDescription& text,
                                                int32_t max_tokens);
// All tokens of a document: nothing is given.
absl::StatusOr<TokenIds> TokenizeDocument(const Tokenizer& tokenizer,
                                          const GeneralDocument& document);

// Tokens of y, which are those that train.
int64_t Targets(const Description& description);

// A step's texts in passes of at most `tokens` tokens each; 0: in one.
// REQUIRES: no text has more
std::vector<std::span<const Description>> SplitPasses(
    std::span<const Description> step, int64_t tokens);

class PretrainBatches {
 public:
  // `general` may be null: only descriptions. `config` is complete.
  PretrainBatches(const config::v1::PretrainConfig& config,
                  const Tokenizer& tokenizer,
                  const std::vector<CorpusDescription>& training,
                  GeneralCorpus* general, uint64_t seed);

  // The next step's texts; none is empty. REQUIRES: `training` is not empty
  absl::StatusOr<std::vector<Description>> Next();

  // Where the next step begins.
  nlohmann::json position() const;
  void Seek(const nlohmann::json& position);

 private:
  // Counted from the run's first step.
  struct Position {
    int64_t descriptions = 0;     // taken
    int64_t document = 0;         // the one to read of the general corpus
    int64_t document_tokens = 0;  // of it that were taken
    int64_t amount = 0;           // taken, in texts or tokens as a step is
    int64_t general_amount = 0;   // of it general
  };
  absl::StatusOr<Description> NextDescription(Position& at);
  absl::StatusOr<Description> NextGeneral(Position& at);

  const config::v1::PretrainConfig& config_;
  const Tokenizer& tokenizer_;
  const std::vector<CorpusDescription>& training_;
  GeneralCorpus* general_;
  EpochOrder order_;
  Position position_;
  // The document that was read last: a long one is taken by many steps.
  int64_t tokenized_ = -1;
  TokenIds document_;
};

}  // namespace larr::stage
