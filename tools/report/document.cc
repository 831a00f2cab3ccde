// SPDX-License-Identifier: Apache-2.0
#include "tools/report/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_replace.h"
#include "tools/report/page.h"

namespace larr::report {

using Json = nlohmann::json;

// Found by nlohmann::json, as the script of page.html reads them. What is no
// number becomes null.
static void to_json(Json& json, const Table& t) {
  json = {{"caption", t.caption},
          {"headers", t.headers},
          {"rows", t.rows},
          {"words", t.words}};
}

static void to_json(Json& json, const Point& p) {
  json = {p.x, p.y, p.low, p.high};
}

static void to_json(Json& json, const Series& s) {
  json = {{"name", s.name}, {"points", s.points}};
}

static void to_json(Json& json, const Plot& p) {
  json = {{"caption", p.caption},   {"x_title", p.x_title},
          {"series", p.series},     {"rows", p.rows},
          {"diagonal", p.diagonal}, {"logarithmic", p.logarithmic},
          {"markers", p.markers},   {"scatter", p.scatter}};
}

static void to_json(Json& json, const Detail& d) {
  json = {{"title", d.title}, {"text", d.text}};
}

static void to_json(Json& json, const Section& s) {
  json = {{"title", s.title},
          {"paragraphs", s.paragraphs},
          {"tables", s.tables},
          {"plots", s.plots},
          {"details", s.details}};
}

namespace {

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

std::string ToHtml(const Document& document) {
  const Json json = {{"title", document.title},
                     {"lead", document.lead},
                     {"sections", document.sections}};
  return RenderPage(json.dump(), "const pageOf = (report) => report;");
}

std::string ToMarkdown(const Document& document, int level) {
  return WithTables(document, level,
                    [](const Table& table) { return ToMarkdown(table); });
}

std::string ToText(const Document& document) {
  return WithTables(document, 1,
                    [](const Table& table) { return ToText(table); });
}

}  // namespace larr::report
