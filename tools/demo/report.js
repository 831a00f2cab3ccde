// SPDX-License-Identifier: Apache-2.0
// The page of report.json (docs/demo.md), by tools/report/page.html.
function pageOf(report) {
  const {served = {}, refresh = {}, recall = {}, city = {}} = report, options = city.options || {};
  const duration = (s) => !isNumber(s) ? "-" : s < 60 ? fixed(s, 1) + " s" : `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;

  // What is compared, in its order: each has a row of dots.
  const models = Object.entries(report.models || {}).map(([name, metrics]) => ({name: name.toUpperCase(), metrics}));
  if (report.bayes && isNumber(report.bayes.ctr_auc)) models.push({name: "Bayes bound", metrics: report.bayes});
  const metrics = [["ctr_auc", "CTR AUC"], ["ctcvr_auc", "CTCVR AUC"], ["ctr_gauc", "CTR GAUC"], ["ctcvr_gauc", "CTCVR GAUC"]];
  const slices = ["cold", "rare", "frequent"];
  const inSlice = (model, slice, metric) => ((model.metrics.slices || {})[slice] || {})[metric];

  // Every point, and a moving mean.
  function curve([stage, points]) {
    const reach = Math.max(1, Math.round(points.length / 24));
    const mean = points.map(([step], i) => {
      const near = points.slice(Math.max(0, i - reach), i + reach + 1);
      return [step, near.reduce((sum, p) => sum + p[1], 0) / near.length];
    });
    return {caption: `${stage}: ${number(points[0][1])} → ${number(points[points.length - 1][1])}`, x_title: "step",
      series: [{name: "loss", points}, {name: "moving mean", points: mean}]};
  }
  const stages = Object.entries(report.stages || {}), regions = recall.regions || [];
  const shares = (r) => [r.precision, r.precision_chance, r.cuisine_share, r.cuisine_share_chance, r.cuisine_share_in_city].map(percent);

  return {
    title: "LARR on the simulated city",
    lead: [`The whole line, from data to served scores, in ${duration(report.seconds_total)}: ${count(options.impressions)} impressions, ` +
      `${count(options.users)} users, ${count(options.pois)} POIs, seed ${count(options.seed)}.` + (report.model_version ? ` Published as ${report.model_version}.` : "")],
    tiles: [
      {value: number(served.max_abs_diff), tone: served.max_abs_diff <= 1e-5 ? "good" : "bad", text: `largest difference of ${count(served.scores)} served scores to the offline ones`},
      {value: `${count(refresh.texts_encoded)} of ${count(refresh.texts_total)}`, text: `texts encoded after ${count(refresh.pois_changed)} POIs changed`},
      {value: `${count(refresh.switch_requests_failed)} of ${count(refresh.switch_requests)}`, tone: refresh.switch_requests_failed === 0 ? "good" : "bad", text: "requests failed while scoring moved to the new snapshot"},
      {value: percent(recall.precision_at_10), text: `of the top 10 are in the region that was asked for (chance ${percent(recall.precision_chance)})`}],
    sections: [{
      title: "How well the models rank",
      paragraphs: ["On the test days, which no training, vocabulary or statistic saw. The Bayes bound is the hidden truth scored as a model is: nothing can do better. Bands are 95 % bootstrap intervals over users."],
      tables: [{headers: ["", ...metrics.map(([, name]) => name), "log loss", "calibration"],
        rows: models.map((m) => [m.name, ...metrics.map(([key]) => fixed(m.metrics[key])), fixed(m.metrics.logloss), fixed(m.metrics.calibration, 3)])}],
      plots: metrics.map(([key, caption]) => ({caption, rows: models.map((m) => m.name),
        series: models.map((m, i) => ({name: m.name, points: [[i, m.metrics[key], ...(m.metrics[key + "_interval"] || [])]]}))}))
    }, {
      title: "Cold and frequent POIs",
      paragraphs: ["POIs that opened in the test days have no past clicks, they are cold: what is known of them is their text. Frequent ones are the most shown POIs that got half of the training impressions together."],
      tables: metrics.slice(0, 2).map(([key, name]) => ({headers: [name, ...slices], rows: models.map((m) => [m.name, ...slices.map((slice) => fixed(inSlice(m, slice, key)))])})),
      plots: metrics.slice(0, 2).map(([key, caption]) => ({caption, rows: slices,
        series: models.map((m) => ({name: m.name, points: slices.map((slice, i) => [i, inSlice(m, slice, key)])}))}))
    }, {
      title: "Loss curves", paragraphs: ["As each stage wrote them."], plots: Object.entries(report.losses || {}).map(curve)
    }, {
      title: "Time and throughput", paragraphs: ["Seconds of work, of a part that was interrupted those of the last attempt."],
      tables: [{headers: ["part", "time", "throughput"], rows: stages.map(([name, s]) => [name, duration(s.seconds), s.throughput > 0 ? `${number(s.throughput)} ${s.unit}` : "-"])}],
      plots: [{caption: "seconds", logarithmic: true, rows: stages.map(([name]) => name), series: stages.map(([name, s], i) => ({name, points: [[i, s.seconds]]}))}]
    }, {
      title: "Served as evaluated", paragraphs: ["The last test day once more, as requests over gRPC to the scoring server, compared with the evaluation's scores."],
      tables: [{headers: ["", "served", "offline"], rows: [["CTR AUC of the day", fixed(served.ctr_auc, 6), fixed(served.offline_ctr_auc, 6)], ["requests", count(served.requests), "-"],
        ["p50 / p99", `${fixed(served.p50_milliseconds, 2)} / ${fixed(served.p99_milliseconds, 2)} ms`, "-"], ["trained defaults used", count(served.defaults), "-"]]}]
    }, {
      title: "A catalogue change", paragraphs: [`${count(refresh.pois_changed)} POIs got another menu and another introduction. The refresh encodes what it has not stored.`],
      tables: [{headers: ["", "texts", "encoded"], rows: [["refresh before the change", count(refresh.texts_total_before_change), count(refresh.texts_encoded_before_change)],
        ["refresh after the change", count(refresh.texts_total), count(refresh.texts_encoded)]]}]
    }, {
      title: "POIs for a traveller",
      paragraphs: ["The ten POIs whose vectors are nearest to that of a user travelling in the region, by the language model alone. Cuisine is the platform's own label, wrong for about one POI in seven."],
      tables: [{headers: ["region", "in the region", "chance", "of its cuisine", "chance", "chance within the city"], rows: [...regions.map((r) => [r.region, ...shares(r)]), ["mean", ...shares(recall)]]}],
      details: regions.map((r) => ({title: `${r.query}: the ten`, tables: [{headers: ["POI", "city", "category", "menu", "cosine"], words: [1, 2, 3],
        rows: r.results.map((p) => [p.name, p.city, p.category, p.menu, fixed(p.score, 3)])}]}))
    }, {
      title: "The gate", tables: [{headers: ["What decided whether this model may serve"], rows: (report.gate || []).map((reason) => [reason])}]
    }, {
      title: "The data", paragraphs: ["Label rates and Bayes bounds by part; the bounds here are of all rows of a part."],
      tables: [{headers: ["part", "from", "days", "impressions", "CTR", "CTCVR", "Bayes CTR AUC", "Bayes CTCVR AUC"], rows: Object.entries(city.parts || {}).map(([name, p]) =>
        [name, p.first_day, count(p.days), count(p.rows), percent(p.ctr), percent(p.ctcvr), fixed(p.bayes_ctr_auc), fixed(p.bayes_ctcvr_auc)])}]
    }]
  };
}
