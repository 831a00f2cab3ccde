// SPDX-License-Identifier: Apache-2.0
#include "tools/experiment/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_replace.h"
#include "tools/experiment/embedded.h"

namespace larr::experiment {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kPlace[] = "__REPORT__";

Json Number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json ToJson(const Plot& plot) {
  Json json = {{"caption", plot.caption},   {"x_title", plot.x_title},
               {"rows", plot.rows},         {"logarithmic", plot.logarithmic},
               {"diagonal", plot.diagonal}, {"markers", plot.markers},
               {"scatter", plot.scatter},   {"series", Json::array()}};
  for (const Series& series : plot.series) {
    Json points = Json::array();
    for (const Point& p : series.points)
      points.push_back(
          {Number(p.x), Number(p.y), Number(p.low), Number(p.high)});
    json["series"].push_back({{"name", series.name}, {"points", points}});
  }
  return json;
}

Json ToJson(const Section& section) {
  Json json = {{"title", section.title},
               {"paragraphs", section.paragraphs},
               {"tables", Json::array()},
               {"plots", Json::array()},
               {"details", Json::array()}};
  for (const Table& table : section.tables)
    json["tables"].push_back({{"caption", table.caption},
                              {"headers", table.headers},
                              {"rows", table.rows},
                              {"words", table.words}});
  for (const Plot& plot : section.plots) json["plots"].push_back(ToJson(plot));
  for (const Detail& detail : section.details)
    json["details"].push_back({{"title", detail.title}, {"text", detail.text}});
  return json;
}

// Characters of UTF-8: what a column is wide.
size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (c & 0xC0) != 0x80; });
}

bool IsOfWords(const Table& table, size_t column) {
  return column == 0 || std::count(table.words.begin(), table.words.end(),
                                   static_cast<int>(column)) > 0;
}

std::string ToText(const Table& table) {
  std::vector<size_t> widths;
  auto lines = table.rows;
  lines.insert(lines.begin(), table.headers);
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], Width(line[i]));
  }
  std::string text = table.caption.empty() ? "" : table.caption + "\n";
  for (const auto& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - Width(line[i]), ' ');
      row += (i > 0 ? "  " : "") +
             (IsOfWords(table, i) ? line[i] + space : space + line[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text + "\n";
}

std::string Cell(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}

template <typename TableText>
std::string WithTables(const Document& document, int level,
                       TableText table_text) {
  const auto heading = [&](int below, const std::string& title) {
    return fmt::format("{} {}\n\n", std::string(level + below, '#'), title);
  };
  std::string text = heading(0, document.title);
  for (const std::string& line : document.lead) text += line + "\n\n";
  for (const Section& section : document.sections) {
    if (section.tables.empty() && !section.plots.empty()) continue;
    if (section.tables.empty() && section.paragraphs.empty()) continue;
    if (!section.title.empty()) text += heading(1, section.title);
    for (const std::string& line : section.paragraphs) text += line + "\n\n";
    for (const Table& table : section.tables) text += table_text(table);
  }
  return text;
}

}  // namespace

Json ToJson(const Document& document) {
  Json json = {{"title", document.title},
               {"lead", document.lead},
               {"sections", Json::array()}};
  for (const Section& section : document.sections)
    json["sections"].push_back(ToJson(section));
  return json;
}

std::string ToHtml(const Document& document) {
  // `</script>` in a text must not end the script.
  const std::string json =
      absl::StrReplaceAll(ToJson(document).dump(), {{"</", "<\\/"}});
  std::string page(kReportHtml);
  return page.replace(page.find(kPlace), std::size(kPlace) - 1, json);
}

std::string ToMarkdown(const Table& table) {
  std::string text =
      table.caption.empty() ? "" : fmt::format("{}\n\n", table.caption);
  const auto line = [&](const std::vector<std::string>& cells) {
    text += "|";
    for (const std::string& cell : cells)
      text += fmt::format(" {} |", Cell(cell));
    text += "\n";
  };
  line(table.headers);
  text += "|";
  for (size_t i = 0; i < table.headers.size(); ++i) {
    text += IsOfWords(table, i) ? " --- |" : " ---: |";
  }
  text += "\n";
  for (const auto& row : table.rows) line(row);
  return text + "\n";
}

std::string ToMarkdown(const Document& document, int level) {
  return WithTables(document, level,
                    [](const Table& table) { return ToMarkdown(table); });
}

std::string ToText(const Document& document) {
  return WithTables(document, 1,
                    [](const Table& table) { return ToText(table); });
}

}  // namespace larr::experiment
