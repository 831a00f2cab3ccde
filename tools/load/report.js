// SPDX-License-Identifier: Apache-2.0
// The page of what `larr_load --json` writes, by tools/report/page.html.
function pageOf(report) {
  // Tries by their rate, steps as they came.
  const points = report.mode === "find_rate" ? report.points.slice().sort((a, b) => a.rate - b.rate)
    : report.mode === "steps" ? report.points.filter((p) => p.name.endsWith("x")) : report.points;
  const percentiles = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99.9", "p99_9"]];
  const ms = (h, key) => h ? h[key] : null;
  const rows = points.map((p) => `${number(p.rate)}/s ${p.name}`);
  const series = (name, of) => ({name, points: points.map((p, i) => [i, of(p)])});
  return {
    title: "LARR under load",
    lead: [`Open loop, Poisson arrivals; latency from when a call was due, deadline ${number(report.deadline_ms)} ms.` +
      (report.capacity ? ` Capacity: ${number(report.capacity)} calls/s with 99 % of all within ${number(report.bound_ms)} ms.` : "") +
      ("recovery_seconds" in report ? ` Recovery after the last change of rate: ${number(report.recovery_seconds)} s.` : "")],
    sections: [{
      title: "By calls offered a second", paragraphs: ["Latency of accepted calls; calls that were offered, and answered OK."],
      plots: [{caption: "latency in ms", logarithmic: true, rows, series: [...percentiles.map(([name, key]) => series(name, (p) => ms(p.latency_ms, key))),
        series("rejections, p50", (p) => ms(p.rejection_ms, "p50")), series("the bound", () => report.bound_ms)]},
      {caption: "calls a second", rows, series: [series("offered", (p) => p.rate), series("answered OK", (p) => p.goodput)]}]
    }, {
      title: "All numbers", paragraphs: ["Latencies in ms; lag: how late the generator itself was."],
      tables: [{headers: ["step", "calls/s", "OK/s", "candidates/s", ...percentiles.map(([name]) => name), "max", "rejection p50", "lag p99", "codes"], words: [11],
        rows: report.points.map((p) => [p.name, ...[p.rate, p.goodput, p.candidates_per_second, ...percentiles.map(([, key]) => ms(p.latency_ms, key)),
          ms(p.latency_ms, "max"), ms(p.rejection_ms, "p50"), ms(p.send_lag_ms, "p99")].map(number),
          Object.entries(p.codes).map(([code, n]) => `${n} ${code}`).join(", ")])}]
    }]
  };
}
