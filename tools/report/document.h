// SPDX-License-Identifier: Apache-2.0
//
// A report apart from its form: sections of text, tables and plots. Tables hold
// text that is ready to be read (numbers.h), so that the page and its Markdown
// copy say the same; plots hold numbers, and are on the page alone.
//
// A cell may be a link, `[text](address)`.
//
// Threads:  pure functions.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace larr::report {

struct Table {
  std::string caption;
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> rows;
  // Columns of words, not of numbers; the first one always is.
  std::vector<int> words = {};
};

struct Point {
  double x = 0;
  double y = 0;
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct Series {
  std::string name;
  std::vector<Point> points;
};

// Lines over x; or, with `rows`, dots in rows: the point's x is its row.
struct Plot {
  std::string caption;
  std::string x_title;
  std::vector<Series> series;
  std::vector<std::string> rows = {};
  bool logarithmic = false;  // the scale from left to right
  bool diagonal = false;     // with the line y = x
  bool markers = false;      // a dot on each point
  bool scatter = false;      // dots alone, in a plane without scales
};

// A long text behind a line that opens it: on the page alone.
struct Detail {
  std::string title;
  std::string text;
};

struct Section {
  std::string title;
  std::vector<std::string> paragraphs = {};
  std::vector<Table> tables = {};
  std::vector<Plot> plots = {};
  std::vector<Detail> details = {};
};

struct Document {
  std::string title;
  std::vector<std::string> lead;
  std::vector<Section> sections;
};

// The page (page.h).
std::string ToHtml(const Document& document);

// Headings from `level` on: 1 is `#`. Plots, and sections that only show some,
// are left to the page.
std::string ToMarkdown(const Document& document, int level);

// For a terminal: as Markdown, but with tables in columns.
std::string ToText(const Document& document);

}  // namespace larr::report
