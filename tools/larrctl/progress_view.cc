// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/progress_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "tools/larrctl/output.h"

namespace larr::ctl {
namespace {

constexpr int kBarWidth = 16;
constexpr double kQuietSeconds = 5;

std::string Number(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value)
                      : fmt::format("{:.3g}", value);
}

int64_t Tenth(const ProgressItem& item) {
  return item.total > 0 ? 10 * item.done / item.total : 0;
}

// Whether `item` says something that is worth a line after `last`.
bool IsNews(const ProgressItem& item, const ProgressItem& last) {
  return item.state != last.state ||
         (Tenth(item) != Tenth(last) &&
          item.elapsed_seconds - last.elapsed_seconds >= kQuietSeconds);
}

size_t TerminalWidth(std::FILE* out) {
  winsize size{};
  const bool known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

double SecondsOf(const coordinator::v1::StageRun& stage) {
  return stage.progress().elapsed_seconds() > 0
             ? stage.progress().elapsed_seconds()
             : SecondsBetween(stage.start_time(), stage.end_time());
}

Progress ToProgress(const coordinator::v1::TrainingRun& run) {
  using coordinator::v1::StageRun;
  Progress progress;
  progress.title = fmt::format(
      "{}  {}  {}", run.name(),
      coordinator::v1::TrainingRun::State_Name(run.state()),
      DurationText(SecondsBetween(run.create_time(), run.end_time())));
  for (const StageRun& stage : run.stages()) {
    ProgressItem item;
    item.name = stage.id();
    item.state = StageRun::State_Name(stage.state());
    item.done = stage.progress().step();
    item.total = stage.progress().total_steps();
    item.throughput = stage.progress().throughput();
    item.unit = stage.progress().throughput_unit();
    item.loss = stage.progress().loss();
    item.elapsed_seconds = SecondsOf(stage);
    item.shared_from =
        stage.shared_from().substr(stage.shared_from().rfind('/') + 1);
    progress.items.push_back(std::move(item));
  }
  return progress;
}

Progress ToProgress(const embedding::v1::RefreshJob& job) {
  ProgressItem item;
  item.name = "texts";
  item.state = embedding::v1::RefreshJob::State_Name(job.state());
  item.done = job.texts_encoded();
  item.total = job.texts_to_encode();
  item.elapsed_seconds = SecondsBetween(job.create_time(), job.end_time());
  if (item.elapsed_seconds > 0) {
    item.throughput =
        static_cast<double>(job.tokens_encoded()) / item.elapsed_seconds;
    item.unit = "tokens/s";
  }
  return {
      fmt::format("{}  {}  {} texts, {} stored already", job.name(), item.state,
                  job.texts_total(), job.texts_total() - job.texts_to_encode()),
      {item}};
}

std::string Bar(int64_t done, int64_t total, int width) {
  const double part =
      total > 0 ? std::clamp(static_cast<double>(done) / total, 0.0, 1.0) : 0;
  const int full = static_cast<int>(part * width);
  return fmt::format("[{}{}] {:3d} %", std::string(full, '#'),
                     std::string(width - full, '-'),
                     static_cast<int>(part * 100));
}

double SecondsLeft(const ProgressItem& item) {
  if (item.done <= 0 || item.total < item.done) return -1;
  return item.elapsed_seconds * static_cast<double>(item.total - item.done) /
         static_cast<double>(item.done);
}

std::string Describe(const ProgressItem& item, bool with_bar) {
  if (item.state == "PENDING" || item.state == "QUEUED") return item.state;
  std::string text = item.state;
  if (!item.shared_from.empty())
    return fmt::format("{}  shared from {}", text, item.shared_from);
  const bool running = item.state == "RUNNING";
  if (running && item.total > 0) {
    text += "  ";
    text += with_bar ? Bar(item.done, item.total, kBarWidth)
                     : fmt::format("{} %", 100 * item.done / item.total);
  }
  if (running && SecondsLeft(item) >= 0) {
    text += fmt::format("  {} left", DurationText(SecondsLeft(item)));
  }
  if (item.total > 0) text += fmt::format("  {}/{}", item.done, item.total);
  if (item.throughput > 0) {
    text += fmt::format("  {} {}", Number(item.throughput), item.unit);
  }
  if (item.loss != 0) text += fmt::format("  loss {}", Number(item.loss));
  text += fmt::format("  {}", DurationText(item.elapsed_seconds));
  return text;
}

ProgressView::ProgressView(std::FILE* out, bool terminal)
    : out_(out), terminal_(terminal) {}

void ProgressView::Update(const Progress& progress) {
  terminal_ ? Redraw(progress) : AddLines(progress);
  std::fflush(out_);
}

void ProgressView::Redraw(const Progress& progress) {
  size_t name_width = 0;
  for (const ProgressItem& item : progress.items) {
    name_width = std::max(name_width, item.name.size());
  }
  const size_t width = TerminalWidth(out_) - 1;
  if (lines_drawn_ > 0) fmt::print(out_, "\x1b[{}F\x1b[0J", lines_drawn_);
  lines_drawn_ = progress.items.size();
  if (!progress.title.empty()) {
    fmt::print(out_, "{}\n", progress.title.substr(0, width));
    ++lines_drawn_;
  }
  for (const ProgressItem& item : progress.items) {
    const std::string line = fmt::format("  {:<{}}  {}", item.name, name_width,
                                         Describe(item, /*with_bar=*/true));
    fmt::print(out_, "{}\n", line.substr(0, width));
  }
}

void ProgressView::AddLines(const Progress& progress) {
  for (const ProgressItem& item : progress.items) {
    ProgressItem& last = said_[item.name];
    if (!IsNews(item, last)) continue;
    last = item;
    if (item.state == "PENDING") continue;  // nothing to tell yet
    fmt::print(out_, "{}: {}\n", item.name, Describe(item, false));
  }
}

}  // namespace larr::ctl
