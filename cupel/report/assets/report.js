"use strict";
// Everything shown here is put on screen as text (textContent), never as markup: documents are untrusted.
(() => {
  const $ = (id) => document.getElementById(id);
  const index = JSON.parse($("index").textContent);
  const [ID, STATUS, TIER, CONFIDENCE, SCORE, COST, LATENCY, ATTEMPTS, FLAGS, SNIPPET, NUMBER] = Array(11).keys();
  const PAGE = 100;
  const MATCH_ORDER = ["verbatim", "normalised", "elided", "altered", "absent"];

  // ---- small things ------------------------------------------------------------------------------------

  function make(name, settings = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(settings)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "class") element.className = value;
      else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
  }

  const words = (status) => status.replaceAll("_", " ");
  const fraction = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
  const grouped = (value) => value.toLocaleString("en-GB");

  function usd(value) {
    if (value === null || value === undefined) return "unknown";
    if (value === 0) return "$0";
    return "$" + value.toFixed(Math.abs(value) >= 1 ? 2 : Math.abs(value) >= 0.001 ? 4 : 6);
  }

  function seconds(value) {
    if (value === null || value === undefined) return "–";
    return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`;
  }

  const badge = (text, kind, title) => make("span", { class: `badge ${kind || ""}`, title }, text);

  // ---- documents, read block by block ------------------------------------------------------------------

  const blocks = new Map();

  function entry(position) {
    const number = Math.floor(position / index.chunk);
    if (!blocks.has(number)) blocks.set(number, JSON.parse($(`d${number}`).textContent));
    return blocks.get(number)[position % index.chunk];
  }

  // Offsets are in code points; a JavaScript string counts UTF-16 units. Only beyond the basic plane they differ.
  function unitOffsets(text, points) {
    if (!/[\ud800-\udfff]/.test(text)) return (point) => Math.min(point, text.length);
    const wanted = [...new Set(points)].sort((a, b) => a - b);
    const found = new Map();
    let point = 0, unit = 0, next = 0;
    for (const character of text) {
      while (next < wanted.length && wanted[next] === point) found.set(wanted[next++], unit);
      if (next === wanted.length) break;
      point += 1;
      unit += character.length;
    }
    while (next < wanted.length) found.set(wanted[next++], text.length);
    return (wantedPoint) => found.get(wantedPoint);
  }

  // ---- the list ----------------------------------------------------------------------------------------

  const list = $("list"), detail = $("detail");
  let chosen = { status: "", path: "", order: "", query: "" };
  let visible = [], drawn = 0, current = -1, search = 0;
  const more = make("li", { class: "more" });

  const sureness = (row) => row[CONFIDENCE] ?? row[SCORE] ?? -1;
  const ORDERS = {
    "": (a, b) => index.rows[a][NUMBER] - index.rows[b][NUMBER],
    doubt: (a, b) => sureness(index.rows[a]) - sureness(index.rows[b]),
    cost: (a, b) => (index.rows[b][COST] ?? 0) - (index.rows[a][COST] ?? 0),
    latency: (a, b) => index.rows[b][LATENCY] - index.rows[a][LATENCY],
    attempts: (a, b) => index.rows[b][ATTEMPTS] - index.rows[a][ATTEMPTS],
  };

  function fits(row) {
    return (!chosen.status || row[STATUS] === chosen.status) && (!chosen.path || row[FLAGS].includes(chosen.path));
  }

  const strings = (value) =>
    typeof value === "string" ? value
      : value && typeof value === "object" ? Object.values(value).map(strings).join("\n") : "";

  function holds(position, query) {
    if (index.rows[position][ID].toLowerCase().includes(query)) return true;
    const document_ = entry(position);
    if (document_.folded === undefined) {
      const parts = [document_.text, strings(document_.record), strings(document_.inputs), document_.reasons.join("\n")];
      document_.folded = parts.join("\n").toLowerCase();
    }
    return document_.folded.includes(query);
  }

  // A search reads every block the first time: in slices, so that typing stays smooth.
  function refresh() {
    const ticket = ++search;
    const candidates = index.rows.map((_, position) => position).filter((position) => fits(index.rows[position]));
    const query = chosen.query.trim().toLowerCase();
    if (!query) return show(candidates);
    const found = [];
    let next = 0;
    const slice = () => {
      if (ticket !== search) return;
      const until = performance.now() + 12;
      while (next < candidates.length && performance.now() < until) {
        if (holds(candidates[next], query)) found.push(candidates[next]);
        next += 1;
      }
      if (next < candidates.length) {
        $("found").textContent = `searching ${grouped(next)} of ${grouped(candidates.length)} …`;
        setTimeout(slice);
      } else show(found);
    };
    slice();
  }

  function show(found) {
    visible = found.sort(ORDERS[chosen.order]);
    drawn = 0;
    list.replaceChildren(more);
    list.parentElement.scrollTop = 0;
    draw();
    const all = index.rows.length;
    $("found").textContent = found.length === all ? grouped(all) : `${grouped(found.length)} of ${grouped(all)}`;
    if (!found.length) list.prepend(make("li", { class: "empty" }, "No document fits these filters."));
  }

  function draw() {
    const rows = visible.slice(drawn, drawn + PAGE).map(item);
    more.before(...rows);
    drawn += rows.length;
    more.hidden = drawn >= visible.length;
    more.textContent = more.hidden ? "" : `${grouped(visible.length - drawn)} more`;
  }

  function item(position) {
    const row = index.rows[position];
    const sure = row[CONFIDENCE] !== null ? fraction(row[CONFIDENCE]) : row[SCORE] !== null ? `score ${fraction(row[SCORE])}` : "";
    const facts = [row[TIER], row[ATTEMPTS] > 1 ? `${row[ATTEMPTS]} attempts` : "", sure].filter(Boolean).join(" · ");
    const button = make(
      "button",
      { type: "button", "data-position": position, "aria-current": position === current ? "true" : null },
      make("i", { class: `dot back-${row[STATUS]}`, title: words(row[STATUS]) }),
      make("b", { dir: "auto" }, row[ID]),
      make("small", {}, facts),
      make("span", { dir: "auto" }, row[SNIPPET] || "(no text)"),
    );
    return make("li", {}, button);
  }

  // ---- one document ------------------------------------------------------------------------------------

  function open(position, { focus = true, remember = true } = {}) {
    current = position;
    for (const button of list.querySelectorAll("button"))
      if (Number(button.dataset.position) === position) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    const row = index.rows[position], found = entry(position);
    detail.replaceChildren(...page(row, found));
    document.body.classList.add("reading");
    if (remember) history.replaceState(null, "", `#row-${row[NUMBER]}`);
    if (focus) {
      detail.focus({ preventScroll: true });
      if (detail.getBoundingClientRect().top < 0 || matchMedia("(max-width: 60rem)").matches) detail.scrollIntoView();
    }
  }

  function page(row, found) {
    const back = make("button", { type: "button", class: "back", onclick: () => {
      document.body.classList.remove("reading");
      $("documents").scrollIntoView();
    } }, "← all documents");
    const facts = [
      ["model", found.model], ["prompt", found.prompt_version],
      found.calibrated ? ["confidence", fraction(found.confidence)] : ["score", found.score === null ? null : `${fraction(found.score)} (not calibrated)`],
      ["cost", usd(found.cost_usd)], ["latency", seconds(found.latency_s)], ["language", found.language],
      ["length", `${grouped(found.length)} characters`], ...Object.entries(found.inputs),
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    return [
      back,
      make("h3", {}, make("span", { dir: "auto" }, row[ID]), badge(words(found.status), `status-${found.status}`),
        found.tier ? badge(found.tier) : null, make("small", {}, `row ${row[NUMBER]}`)),
      make("dl", { class: "facts" }, facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
      found.path.length ? make("p", { class: "walk" }, found.path.map((node, at) => [at ? " → " : null, make("span", {}, node)])) : null,
      found.reasons.length ? make("ul", { class: `reasons status-${found.status}` }, found.reasons.map((reason) => make("li", {}, reason))) : null,
      make("div", { class: "beside" },
        make("section", {}, make("h4", {}, "Text"), textWith(found)),
        make("section", {}, make("h4", {}, "Record"), recordOf(found.record, found.evidence), goldOf(found.gold))),
      trail(found),
    ].filter(Boolean);
  }

  function goldOf(held) {
    if (!held) return null;
    const verdict = held.right === null ? badge("not answered") : held.right ? badge("right", "accepted") : badge("wrong", "failed");
    return make("section", { class: "gold" },
      make("h4", {}, "Gold ", verdict, held.score === null ? null : ` ${fraction(held.score)}`),
      held.differences.length ? make("ul", {}, held.differences.map((each) => make("li", {}, badge(each.fault), " ", each.words))) : null,
      recordOf(held.gold, [], false));
  }

  function textWith(found) {
    if (!found.text) return make("p", { class: "empty" }, "There is no text.");
    const spans = found.evidence.flatMap((item, at) =>
      (item.parts.length ? item.parts : item.start === null ? [] : [[item.start, item.end]])
        .filter(([start, end]) => end > start).map(([start, end]) => ({ start, end, at })));
    const cuts = [...new Set(spans.flatMap((span) => [span.start, span.end]))].sort((a, b) => a - b);
    const unit = unitOffsets(found.text, cuts);
    const box = make("div", { class: "text", dir: "auto", lang: found.language });
    let from = 0;
    cuts.forEach((cut, number) => {
      const start = unit(cut);
      if (start > from) box.append(found.text.slice(from, start));
      from = Math.max(from, start);
      const after = cuts[number + 1];
      const here = after === undefined ? [] : spans.filter((span) => span.start <= cut && span.end >= after).map((span) => span.at);
      if (here.length && unit(after) > from) {
        box.append(markOf(found, here, found.text.slice(from, unit(after))));
        from = unit(after);
      }
    });
    if (from < found.text.length) box.append(found.text.slice(from));
    const cut = found.length > [...found.text].length
      ? make("p", { class: "empty" }, `The text goes on; ${grouped(found.length)} characters in all.`) : null;
    return make("div", {}, box, cut);
  }

  function markOf(found, here, text) {
    const worst = here.map((at) => found.evidence[at].match).sort((a, b) => MATCH_ORDER.indexOf(b) - MATCH_ORDER.indexOf(a))[0];
    const title = here.map((at) => `${found.evidence[at].path} · ${found.evidence[at].match}`).join("\n");
    return make("mark", { class: `match-${worst}${here.length > 1 ? " several" : ""}`, title, "data-evidence": ` ${here.join(" ")} ` }, text);
  }

  function pointTo(at, on, scroll) {
    const marks = detail.querySelectorAll(`mark[data-evidence~="${at}"]`);
    for (const mark of marks) mark.classList.toggle("lit", on);
    if (scroll && marks.length) marks[0].scrollIntoView({ block: "center", behavior: "smooth" });
  }

  // Records are drawn as nested fields; a quote can be pointed at, and says how well it stands in the text.
  function recordOf(record, evidence, linked = true) {
    if (record === null || record === undefined) return make("p", { class: "empty" }, "There is no record.");
    const byPath = new Map(evidence.map((item, at) => [item.path, at]));
    const draw_ = (value, path) => {
      if (Array.isArray(value))
        return value.length ? make("ol", { class: "items" }, value.map((item, at) => make("li", {}, draw_(item, `${path}/${at}`)))) : make("span", { class: "nothing" }, "none");
      if (value && typeof value === "object")
        return make("dl", { class: "fields" }, Object.entries(value).map(([key, item]) => make("div", {}, make("dt", {}, words(key)),
          make("dd", {}, draw_(item, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`)))));
      if (value === null) return make("span", { class: "nothing" }, "–");
      const at = byPath.get(path);
      if (at === undefined || typeof value !== "string") return make("span", { dir: "auto" }, String(value));
      return quoteOf(evidence[at], linked ? at : null);
    };
    return make("div", { class: "record" }, draw_(record, ""));
  }

  function quoteOf(item, at) {
    const place = item.start === null ? "" : ` [${item.start}, ${item.end})`;
    const quote = make("span", { class: `quote match-${item.match}`, title: item.match + place, dir: "auto" }, item.quote);
    if (at !== null && item.start !== null) {
      const [show_, hide, go] = [() => pointTo(at, true), () => pointTo(at, false), () => pointTo(at, true, true)];
      quote.setAttribute("role", "button");
      quote.tabIndex = 0;
      for (const name of ["mouseenter", "focus"]) quote.addEventListener(name, show_);
      for (const name of ["mouseleave", "blur"]) quote.addEventListener(name, hide);
      quote.addEventListener("click", go);
      quote.addEventListener("keydown", (event) => { if (event.key === "Enter") go(); });
    }
    const label = item.match === "verbatim" ? null : make("span", { class: "match-name" }, item.match, item.diff ? `: ${item.diff}` : "");
    return make("span", { class: "quoted" }, quote, label);
  }

  // ---- the trail ---------------------------------------------------------------------------------------

  function trail(found) {
    const others = found.other_calls || [];
    if (!found.attempts.length && !others.length) return make("section", {}, make("h4", {}, "Trail"), make("p", { class: "empty" }, "No model was asked."));
    const steps = found.attempts.flatMap((attempt) => [
      attemptOf(attempt, found),
      ...found.verdicts.filter((verdict) => verdict.attempt === attempt.number).map((verdict) => verdictOf(verdict)),
      ...found.addenda.filter((addendum) => addendum.after_attempt === attempt.number).map(addendumOf),
    ]);
    if (others.length) {
      steps.push(step("attempt", [make("b", {}, "Other calls"), make("small", {}, "paid for this document, by a graph that failed, a node of one's own or an earlier try")], callsOf(others)));
    }
    if (found.review) steps.push(reviewOf(found.review));
    return make("section", { class: "trail" }, make("h4", {}, "Trail"), make("ol", {}, steps));
  }

  const step = (kind, head, ...body) => make("li", { class: `step ${kind}` }, make("div", { class: "head" }, head), body);
  const fold = (title, content, open_ = false) => make("details", { open: open_ }, make("summary", {}, title), content);

  function attemptOf(attempt, found) {
    const sure = attempt.calibrated && attempt.confidence !== null ? `confidence ${fraction(attempt.confidence)}` : attempt.score === null ? null : `score ${fraction(attempt.score)}`;
    const cost = attempt.calls.reduce((sum, call) => sum + (call.cost_usd ?? 0), 0);
    const head = [
      make("b", {}, `Attempt ${attempt.number}`), badge(attempt.tier), attempt.round ? badge(`refined, round ${attempt.round}`) : null,
      attempt.error ? badge(attempt.error_kind || "error", "status-failed") : attempt.in_doubt ? badge("in doubt", "status-needs_review") : badge("no doubt", "status-accepted"),
      attempt.same && found.attempts.length > 1 ? badge("the outcome's record", "chosen") : null,
      make("small", {}, [attempt.model, sure, usd(cost)].filter(Boolean).join(" · ")),
    ];
    const signals = Object.entries(attempt.signals);
    return step("attempt", head,
      attempt.fallback_for ? make("p", {}, `Stood in for ${attempt.fallback_for} during an outage.`) : null,
      attempt.error ? make("p", { class: "error" }, attempt.error) : null,
      attempt.doubts.length ? make("ul", { class: "doubts" }, attempt.doubts.map((doubt) => make("li", {}, doubt))) : null,
      signals.length ? make("dl", { class: "signals" }, signals.map(signalOf)) : null,
      attempt.record ? fold("Record of this attempt", recordOf(attempt.record, attempt.evidence, false)) : null,
      callsOf(attempt.calls));
  }

  function signalOf([name, value]) {
    const bar = make("span", { class: "bar" }, make("i"));
    if (value !== null) bar.firstChild.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
    return make("div", {}, make("dt", {}, words(name)), make("dd", {}, value === null ? null : bar, make("span", {}, value === null ? "not observed" : fraction(value))));
  }

  function callsOf(calls) {
    if (!calls.length) return null;
    const head = ["call", "model", "tokens in", "cached", "out", "cost", "latency", ""];
    const rows = calls.map((call) => [call.kind, call.model, grouped(call.input_tokens), grouped(call.cached_tokens), grouped(call.output_tokens),
      usd(call.cost_usd), seconds(call.latency_s), call.cached ? "from the run log" : ""]);
    const table = make("table", {}, make("thead", {}, make("tr", {}, head.map((name) => make("th", {}, name)))),
      make("tbody", {}, rows.map((cells, at) => make("tr", { title: `key ${calls[at].key}` }, cells.map((cell) => make("td", {}, cell))))));
    return fold(calls.length === 1 ? "1 call" : `${calls.length} calls`, make("div", { class: "scroll" }, table));
  }

  const VERDICT_STATUS = { accepted: "status-accepted", rejected: "status-failed", unknown: "status-needs_review" };
  const FINDING_SIGN = { pass: "✓", fail: "✗", unknown: "?" };

  function verdictOf(verdict) {
    const findings = [...verdict.code_findings.map((item) => [item, "code"]), ...verdict.findings.map((item) => [item, null])];
    const head = [
      make("b", {}, "Judge"), badge(verdict.verdict, VERDICT_STATUS[verdict.verdict]), verdict.advisory ? badge("advisory") : null,
      make("small", {}, [verdict.model, verdict.score === null ? null : `criteria passed ${fraction(verdict.score)}`].filter(Boolean).join(" · ")),
    ];
    return step("verdict", head,
      verdict.reason ? make("p", {}, verdict.reason) : null,
      make("ul", { class: "findings" }, findings.map(([item, by]) => make("li", { class: `finding-${item.finding}` },
        make("span", { class: "sign", title: item.finding }, FINDING_SIGN[item.finding] || "?"),
        make("div", {}, make("b", {}, words(item.criterion)), by ? badge("found by code") : null, make("p", {}, item.reasoning),
          item.evidence_quote ? make("q", { class: item.quote_match ? `match-${item.quote_match}` : "", dir: "auto", title: item.quote_match }, item.evidence_quote) : null)))),
      verdict.jury ? juryOf(verdict.jury) : null,
      callsOf(verdict.calls));
  }

  const JURY_WORDS = { always: "jury", doubt: "jury, as the judge was in doubt", audit: "audit" };

  function juryOf(jury) {
    const judges = jury.jurors.map((juror) => make("li", {},
      badge(juror.verdict, VERDICT_STATUS[juror.verdict]), " ", make("b", {}, juror.model), ` (${juror.family}) `,
      juror.voted || jury.why === "audit" ? null : badge("no vote"), juror.reason ? make("p", {}, juror.reason) : null,
      make("ul", { class: "findings" }, juror.findings.map((item) => make("li", { class: `finding-${item.finding}` },
        make("span", { class: "sign", title: item.finding }, FINDING_SIGN[item.finding] || "?"),
        make("div", {}, make("b", {}, words(item.criterion)), make("p", {}, item.reasoning)))))));
    return fold(`${JURY_WORDS[jury.why]}: ${jury.verdict}, ${jury.jurors.length} judges`, make("ul", {}, judges));
  }

  function addendumOf(addendum) {
    return step("addendum", [make("b", {}, "Refine"), badge(`round ${addendum.round}`), make("small", {}, addendum.model || "")],
      make("p", {}, addendum.instructions.length ? "Added to the prompt, for this document only:" : "No instruction passed the checks."),
      make("ol", { class: "instructions" }, addendum.instructions.map((text, at) => make("li", {}, text, " ", addendum.criteria[at] ? badge(words(addendum.criteria[at])) : null))),
      addendum.dropped.length ? fold(`${addendum.dropped.length} dropped by code`, make("ul", {}, addendum.dropped.map((text) => make("li", {}, text)))) : null,
      callsOf(addendum.calls));
  }

  function reviewOf(review) {
    return step("review", [make("b", {}, "A person"), badge(review.action)],
      review.note ? make("p", {}, review.note) : null,
      review.record ? fold("The person's record", recordOf(review.record, review.evidence, false)) : null);
  }

  // ---- what a reader does ------------------------------------------------------------------------------

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) open(Number(button.dataset.position));
  });
  new IntersectionObserver((seen) => { if (seen.some((item_) => item_.isIntersecting) && !more.hidden) draw(); }, { rootMargin: "600px" }).observe(more);

  const chips = [...document.querySelectorAll("[data-status]")];
  function chooseStatus(status) {
    chosen.status = status;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.status === status));
    refresh();
  }
  for (const chip of chips) chip.addEventListener("click", () => chooseStatus(chip.dataset.status));
  for (const name of ["path", "order"]) $(name).addEventListener("change", (event) => { chosen[name] = event.target.value; refresh(); });
  let typing = 0;
  $("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => { chosen.query = event.target.value; refresh(); }, 150);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/") { event.preventDefault(); $("search").focus(); return; }
    const by = { j: 1, k: -1 }[event.key];
    if (!by || !visible.length) return;
    const at = Math.min(Math.max(visible.indexOf(current) + by, 0), visible.length - 1);
    while (at >= drawn) draw();
    open(visible[at]);
    list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  });

  const THEMES = ["", "light", "dark"];
  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    $("theme").textContent = theme ? `Theme: ${theme}` : "Theme: system";
    try { localStorage.setItem("cupel-theme", theme); } catch { /* a file without storage keeps no theme */ }
  }
  let theme = "";
  try { theme = localStorage.getItem("cupel-theme") || ""; } catch { /* as above */ }
  setTheme(THEMES.includes(theme) ? theme : "");
  $("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));

  function openHash() {
    const number = Number((location.hash.match(/^#row-(\d+)$/) || [])[1]);
    const position = index.rows.findIndex((row) => row[NUMBER] === number);
    if (position >= 0) open(position, { remember: false });
    return position >= 0;
  }
  addEventListener("hashchange", openHash);
  chooseStatus("");
  if (!openHash() && visible.length && matchMedia("(min-width: 60rem)").matches) open(visible[0], { focus: false, remember: false });
})();
