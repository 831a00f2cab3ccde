// SPDX-License-Identifier: Apache-2.0
#include "tools/demo/next_steps.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "tools/demo/catalogue.h"
#include "tools/demo/replay.h"
#include "tools/programs/child_process.h"

namespace larr::demo {
namespace {

// The addresses that larrctl expects.
constexpr char kEmbedding[] = "127.0.0.1:7020";
constexpr char kScoring[] = "127.0.0.1:7030";
constexpr char kScoringAdmin[] = "127.0.0.1:7031";

}  // namespace

absl::StatusOr<std::string> NextSteps(const Demo& demo,
                                      const coordinator::v1::TrainingRun& run) {
  const auto folder = demo.path("try");
  LARR_RETURN_IF_ERROR(MakeFolder(folder));
  auto scoring = ScoringSettings(demo, run);
  scoring.mutable_server()->set_listen(kScoring);
  scoring.set_admin_listen(kScoringAdmin);
  LARR_RETURN_IF_ERROR(
      WriteFileAtomically(folder / "scoring.textproto", ToTextProto(scoring)));
  auto embedding = EmbeddingSettings(demo, run);
  embedding.mutable_server()->set_listen(kEmbedding);
  LARR_RETURN_IF_ERROR(WriteFileAtomically(folder / "embedding.textproto",
                                           ToTextProto(embedding)));
  LARR_ASSIGN_OR_RETURN(const auto requests, LoadLastDay(demo, run));
  std::string json;
  google::protobuf::util::JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  pretty.preserve_proto_field_names = true;
  const auto printed = google::protobuf::util::MessageToJsonString(
      requests.front().request, &json, pretty);
  if (!printed.ok()) return absl::InternalError(printed.ToString());
  LARR_RETURN_IF_ERROR(WriteFileAtomically(folder / "request.json", json));
  return fmt::format(
      "Try next, each is one command:\n"
      "  score a request of the last test day\n"
      "    {0}larr_scoring --config {1}/scoring.textproto & sleep 3; "
      "{0}larrctl score {1}/request.json; kill $!\n"
      "  find POIs for a scene in your own words\n"
      "    {0}larr_embedding --config {1}/embedding.textproto & sleep 10; "
      "{0}larrctl embed search \"something cold on a hot afternoon\"; kill $!\n"
      "  look at the data\n"
      "    {0}larrctl dataset validate {2}\n",
      ShortPath(programs::ProgramBeside("")), ShortPath(folder),
      ShortPath(demo.training().dataset()));
}

}  // namespace larr::demo
