"use strict";
// Everything shown here is put on screen as text (textContent), never as markup: documents are untrusted.
(() => {
  const $ = (id) => document.getElementById(id);
  const index = JSON.parse($("index").textContent);
  const [ID, STATUS, TIER, CONFIDENCE, SCORE, COST, LATENCY, ATTEMPTS, FLAGS, SNIPPET, NUMBER, CELLS, VALUES] = Array(13).keys();
  const PAGE = 60;
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

  // The table stands before the documents' blocks are read: they come after this script, and are opened when one is needed.
  const isWhole = () => document.readyState !== "loading";
  let opened = { number: -1, entries: [] };

  function block(number) {
    if (opened.number !== number) {
      const [searched, rest] = [`s${number}`, `d${number}`].map((id) => JSON.parse($(id).textContent));
      opened = { number, entries: searched.map((each, at) => ({ ...each, ...rest[at] })) };
    }
    return opened.entries;
  }
  const isThere = (position) => Boolean($(`d${Math.floor(position / index.chunk)}`)) && (isWhole() || Boolean($(`d${Math.floor(position / index.chunk) + 1}`)));
  const entry = (position) => block(Math.floor(position / index.chunk))[position % index.chunk];

  // What a search looks through, in small letters; the documents themselves are not kept. What is searched
  // stands in blocks of its own, a line a document, and is looked through as it is written, JSON and all: to read it first
  // would take a second for ten thousand documents.
  const folded = new Map();

  function fold(number) {
    if (!folded.has(number)) folded.set(number, $(`s${number}`).textContent.toLowerCase().split("\n"));
    return folded.get(number);
  }

  // Done while nobody waits, so that the first search is as quick as the second.
  function foldAll(number = 0) {
    const idle = globalThis.requestIdleCallback || ((act) => setTimeout(() => act({ timeRemaining: () => 8 }), 20));
    if (number * index.chunk < index.rows.length) idle((time) => {
      let next = number;
      do { fold(next); next += 1; } while (time.timeRemaining() > 6 && next * index.chunk < index.rows.length);
      foldAll(next);
    });
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

  // ---- the table ---------------------------------------------------------------------------------------

  const list = $("list"), detail = $("detail");
  let chosen = { status: "", path: "", order: "", query: "", back: false, shows: new Map() };
  let visible = [], drawn = 0, current = -1, search = 0;
  const more = make("tr", { class: "more" }, make("td", { colspan: index.columns.length + 4 }));

  const sureness = (row) => row[CONFIDENCE] ?? row[SCORE] ?? -1;
  const cellOf = (row, column) => row[CELLS][column] ?? null;
  // nothing comes last whichever way round; numbers as numbers, all else as text
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  function byCell(read) {
    return (a, b) => {
      const [one, other] = [read(index.rows[a]), read(index.rows[b])];
      if (one === other) return 0;
      if (one === null || one === "") return chosen.back ? -1 : 1;
      if (other === null || other === "") return chosen.back ? 1 : -1;
      return typeof one === "number" && typeof other === "number" ? one - other : compare(String(one), String(other));
    };
  }
  const ORDERS = {
    "": (a, b) => index.rows[a][NUMBER] - index.rows[b][NUMBER],
    doubt: (a, b) => sureness(index.rows[a]) - sureness(index.rows[b]),
    cost: (a, b) => (index.rows[b][COST] ?? 0) - (index.rows[a][COST] ?? 0),
    latency: (a, b) => index.rows[b][LATENCY] - index.rows[a][LATENCY],
    attempts: (a, b) => index.rows[b][ATTEMPTS] - index.rows[a][ATTEMPTS],
    id: byCell((row) => row[ID]), status: byCell((row) => row[STATUS]), text: byCell((row) => row[SNIPPET]),
  };
  index.columns.forEach((_, column) => { ORDERS[`column-${column}`] = byCell((row) => cellOf(row, column)); });

  // What all ids begin with says nothing: it is left out, at a place where a part begins.
  const prefix = (() => {
    if (index.rows.length < 2) return 0;
    let [low, high] = [index.rows[0][ID], index.rows[0][ID]];
    for (const row of index.rows) { if (row[ID] < low) low = row[ID]; if (row[ID] > high) high = row[ID]; }
    let same = 0;
    while (same < low.length && low[same] === high[same]) same += 1;
    const part = low.slice(0, same).search(/[^-_/:.#\s]*$/);
    return low.length < 12 ? 0 : low.length - same <= 8 && same - part <= 24 ? Math.max(part, low.length - 24) : Math.max(part, same - 4);
  })();
  const shortId = (id) => (prefix > 2 && id.length > prefix ? `…${id.slice(prefix)}` : id);

  const shownColumns = index.columns.map((column, at) => ({ ...column, at }));
  shownColumns.sort((a, b) => "record list own".indexOf(a.source) - "record list own".indexOf(b.source) || a.at - b.at);

  // Items of a column's name have their last part first in mind: `meta.group` is read as group, unless two are called so.
  const lastPart = (name) => name.split(".").pop();
  const twice = new Set(shownColumns.map((column) => lastPart(column.name)).filter((name, at, all) => all.indexOf(name) !== at));
  const headOf = (column) => words(twice.has(lastPart(column.name)) ? column.name : lastPart(column.name));

  const HEADS = [["id", "id"], ["status", "status"], ...shownColumns.map((column) => [`column-${column.at}`, headOf(column), column]), ["text", "text"]];
  const NUMERIC = new Set(index.columns.map((_, at) => at).filter((at) => index.rows.some((row) => typeof row[CELLS][at] === "number")));

  function heads() {
    $("heads").replaceChildren(make("tr", {}, HEADS.map(([order, name, column]) => {
      const sorted = chosen.order === order ? (chosen.back ? "descending" : "ascending") : null;
      return make("th", { scope: "col", "aria-sort": sorted, class: column && NUMERIC.has(column.at) ? "number" : null, title: column ? `${column.source}: ${column.name}` : null },
        make("button", { type: "button", "data-order": order }, name, sorted ? (chosen.back ? " ↓" : " ↑") : null));
    })));
  }

  $("heads").addEventListener("click", (event) => {
    const order = event.target.closest("button")?.dataset.order;
    if (!order) return;
    chosen.back = chosen.order === order && !chosen.back;
    chosen.order = order;
    $("order").value = order;
    refresh();
  });

  // ---- what is shown: by a bar, by a column ------------------------------------------------------------

  const SHOWS = {
    is: (row, column, value) => cellOf(row, column) === value,
    starts: (row, column, value) => String(cellOf(row, column) ?? "").startsWith(value),
    some: (row, column) => cellOf(row, column) > 0,
    has: (row, number) => row[VALUES].includes(number),
  };
  const keyOf = (show_) => JSON.stringify(show_);
  const bars = [...document.querySelectorAll("[data-show]")];

  function sayShow([kind, column, value]) {
    if (kind === "has") return `with ${index.values[column]}`;
    const name = headOf(index.columns[column]);
    return kind === "some" ? `with ${name}` : `${name}: ${value === true ? "yes" : value === false ? "no" : words(String(value))}`;
  }

  function toggle(show_, on) {
    const key = keyOf(show_);
    if (on ?? !chosen.shows.has(key)) {
      // of one column one value at a time: two would never both hold
      if (show_[0] === "is" || show_[0] === "starts")
        for (const [other, [kind, column]] of chosen.shows) if ((kind === "is" || kind === "starts") && column === show_[1]) chosen.shows.delete(other);
      chosen.shows.set(key, show_);
    } else chosen.shows.delete(key);
    sayChosen();
    refresh();
  }

  function sayChosen() {
    for (const bar of bars) bar.setAttribute("aria-pressed", String(chosen.shows.has(keyOf(JSON.parse(bar.dataset.show)))));
    for (const select of $("choices").querySelectorAll("select")) {
      const held = [...chosen.shows.values()].find(([kind, column]) => kind === "is" && column === Number(select.dataset.column));
      select.value = held ? String(index.columns[held[1]].choices.indexOf(held[2])) : "";
    }
    $("chosen").replaceChildren(...[...chosen.shows.values()].map((show_) =>
      make("button", { type: "button", "aria-pressed": "true", title: "Show the others again", onclick: () => toggle(show_, false) }, sayShow(show_), " ×")));
  }

  for (const bar of bars) bar.addEventListener("click", () => {
    toggle(JSON.parse(bar.dataset.show));
    document.body.classList.remove("reading");
    if (bar.getAttribute("aria-pressed") === "true") $("documents").scrollIntoView({ block: "start" });
  });

  function choices() {
    const given = shownColumns.filter((column) => column.choices && column.choices.length > 1);
    $("choices").parentElement.hidden = !given.length;
    $("choices").replaceChildren(...given.map((column) => make("label", {}, make("span", {}, headOf(column)),
      make("select", { "data-column": column.at, onchange: (event) => {
        const place = event.target.value;
        for (const [key, [kind, at]] of chosen.shows) if (kind === "is" && at === column.at) chosen.shows.delete(key);
        if (place === "") { sayChosen(); refresh(); } else toggle(["is", column.at, column.choices[Number(place)]], true);
      } }, make("option", { value: "" }, "any"), column.choices.map((value, place) => make("option", { value: place }, value === true ? "yes" : value === false ? "no" : String(value)))))));
    for (const column of shownColumns) $("order").append(make("option", { value: `column-${column.at}` }, `by ${headOf(column)}`));
    for (const name of ["id", "status", "text"]) $("order").append(make("option", { value: name, hidden: true }, `by ${name}`));
  }

  function fits(row) {
    if (chosen.status && row[STATUS] !== chosen.status) return false;
    if (chosen.path && !row[FLAGS].includes(chosen.path)) return false;
    for (const [kind, column, value] of chosen.shows.values()) if (!SHOWS[kind](row, column, value)) return false;
    return true;
  }

  const strings = (value) =>
    typeof value === "string" ? value
      : value && typeof value === "object" ? Object.values(value).map(strings).join("\n") : "";

  // JSON's own signs, numbers and words stand between the texts, names of fields before them: a query that could be one
  // of these is looked for once more in what the line says, and so is one found behind a backslash ("\nthe").
  const READS_AS_JSON = /^[\d\s{}[\]:,.+\-aeflnrstu]+$/;
  function finder(query) {
    const written = JSON.stringify(query).slice(1, -1).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
    const doubtful = READS_AS_JSON.test(query) || !index.names || index.names.some((name) => name.toLowerCase().includes(query));
    return (position) => {
      const number = Math.floor(position / index.chunk), line = fold(number)[position % index.chunk];
      const at = line.indexOf(written);
      if (at < 0) return false;
      if (!doubtful && line[at - 1] !== "\\") return true;
      const { doc_id, text, record, inputs, reasons } = entry(position);
      return [doc_id, text, strings(record), strings(inputs), reasons.join("\n")].join("\n").toLowerCase().includes(query);
    };
  }

  // A search folds every block the first time: in slices, so that typing stays smooth.
  function refresh() {
    const ticket = ++search;
    const candidates = index.rows.map((_, position) => position).filter((position) => fits(index.rows[position]));
    const query = chosen.query.trim().toLowerCase();
    if (!query) return show(candidates);
    if (!isWhole()) return addEventListener("DOMContentLoaded", refresh, { once: true });
    const found = [], holds = finder(query);
    let next = 0;
    const slice = () => {
      if (ticket !== search) return;
      const until = performance.now() + 40;
      while (next < candidates.length && performance.now() < until) {
        if (holds(candidates[next])) found.push(candidates[next]);
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
    const order = ORDERS[chosen.order] || ORDERS[""];
    visible = found.sort(chosen.back ? (a, b) => order(b, a) : order);
    drawn = 0;
    heads();
    list.replaceChildren(more);
    $("table").scrollTop = 0;
    draw();
    const all = index.rows.length;
    $("found").textContent = found.length === all ? grouped(all) : `${grouped(found.length)} of ${grouped(all)}`;
    if (!found.length) list.prepend(make("tr", { class: "empty" }, make("td", { colspan: HEADS.length }, "No document fits these filters.")));
  }

  function draw() {
    const rows = visible.slice(drawn, drawn + PAGE).map(item);
    more.before(...rows);
    drawn += rows.length;
    more.hidden = drawn >= visible.length;
    more.firstChild.textContent = more.hidden ? "" : `${grouped(visible.length - drawn)} more`;
  }

  function item(position) {
    const row = index.rows[position];
    const own = (column) => {
      const value = cellOf(row, column.at), show_ = ["is", column.at, value];
      const said = value === null ? "" : value === true ? "yes" : value === false ? "no" : typeof value === "number" ? grouped(value) : value;
      return make("td", { "data-head": headOf(column), class: NUMERIC.has(column.at) ? "number" : said.length <= 16 ? "short" : said.length > 40 ? "long" : null, dir: typeof value === "string" ? "auto" : null,
        title: said.length > 30 ? said : null, "data-empty": said === "" },
        make("span", { class: index.columns[column.at].source === "record" && column.choices ? "label-cell" : null, "data-key": keyOf(show_) }, said));
    };
    return make("tr", { tabindex: 0, "data-position": position, "aria-current": position === current ? "true" : null },
      make("th", { scope: "row", title: row[ID], dir: "auto", class: shortId(row[ID]).length <= 24 ? "short" : null }, shortId(row[ID])),
      make("td", { "data-head": "status", class: "short" }, make("i", { class: `dot back-${row[STATUS]}` }), ` ${words(row[STATUS])}`),
      shownColumns.map(own),
      make("td", { class: "snippet", dir: "auto", "data-head": "text" }, row[SNIPPET] || "(no text)"));
  }

  // ---- one document ------------------------------------------------------------------------------------

  function open(position, { focus = true, remember = true } = {}) {
    current = position;
    for (const line of list.querySelectorAll("[data-position]"))
      if (Number(line.dataset.position) === position) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    if (!isThere(position)) return addEventListener("DOMContentLoaded", () => { if (current === position) open(position, { focus, remember }); }, { once: true });
    const row = index.rows[position], found = entry(position);
    detail.hidden = false;
    detail.replaceChildren(bar(position), ...page(row, found));
    document.body.classList.add("reading");
    if (remember) history.replaceState(null, "", `#row-${row[NUMBER]}`);
    if (focus) {
      detail.focus({ preventScroll: true });
      detail.scrollIntoView({ block: "start" });
    }
  }

  function bar(position) {
    const at = visible.indexOf(position);
    const go = (to, text) => make("button", { type: "button", disabled: to === undefined, onclick: () => open(to) }, text);
    return make("div", { class: "bar-of" },
      make("button", { type: "button", class: "back", onclick: () => {
        document.body.classList.remove("reading");
        detail.hidden = true;
        current = -1;
        history.replaceState(null, "", location.pathname + location.search);
        for (const line of list.querySelectorAll('[aria-current="true"]')) line.removeAttribute("aria-current");
        $("documents").scrollIntoView();
      } }, "← all documents"),
      make("span", {}, go(visible[at - 1], "previous"), go(at < 0 ? undefined : visible[at + 1], "next")));
  }

  // Objects of the row's own columns are opened, as in the table.
  const flat = (holder, lead = "", levels = 3) => Object.entries(holder).flatMap(([name, value]) =>
    value && typeof value === "object" && !Array.isArray(value) && levels ? flat(value, `${lead}${name}.`, levels - 1)
      : [[lead + name, value && typeof value === "object" ? JSON.stringify(value) : value]]);

  function page(row, found, whole = true) {
    const facts = [
      ["model", found.model], ["prompt", found.prompt_version],
      found.calibrated ? ["confidence", fraction(found.confidence)] : ["score", found.score === null ? null : `${fraction(found.score)} (not calibrated)`],
      ["cost", usd(found.cost_usd)], ["latency", seconds(found.latency_s)], ["language", found.language],
      ["length", `${grouped(found.length)} characters`],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    const own = flat(found.inputs).filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== found.text && value !== found.doc_id);
    const pairs = (of) => of.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, String(value))));
    return [
      make("h3", {}, make("span", { dir: "auto" }, row[ID]), badge(words(found.status), `status-${found.status}`),
        found.tier ? badge(found.tier) : null, make("small", {}, `row ${row[NUMBER]}`)),
      own.length ? make("dl", { class: "facts own" }, pairs(own)) : null,
      make("dl", { class: "facts" }, pairs(facts)),
      whole && found.path.length ? make("p", { class: "walk" }, found.path.map((node, at) => [at ? " → " : null, make("span", {}, node)])) : null,
      found.reasons.length ? make("ul", { class: `reasons status-${found.status}` }, found.reasons.map((reason) => make("li", {}, reason))) : null,
      make("div", { class: "beside" },
        make("section", {}, make("h4", {}, "Text"), textWith(found)),
        make("section", {}, make("h4", {}, "Record"), recordOf(found.record, found.evidence), goldOf(found.gold))),
      whole ? trail(found) : null,
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
    const mark = make("mark", { class: `match-${worst}${here.length > 1 ? " several" : ""}`, title, "data-evidence": ` ${here.join(" ")} ` }, text);
    mark.addEventListener("click", () => {
      if (String(getSelection())) return;
      const quotes = here.flatMap((at) => [...mark.closest("article").querySelectorAll(`.quote[data-at="${at}"]`)]);
      for (const each of detail.querySelectorAll(".items > .lit")) each.classList.remove("lit");
      for (const quote of quotes) quote.closest(".items > li")?.classList.add("lit");
      quotes[0]?.scrollIntoView({ block: "center", behavior: "smooth" });
    });
    return mark;
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
    const holder = make("div", { class: "record" });
    const draw_ = (value, path) => {
      if (Array.isArray(value))
        return value.length ? make("ol", { class: "items" }, value.map((item, at) => make("li", { "data-item": `${path}/${at}` }, draw_(item, `${path}/${at}`)))) : make("span", { class: "nothing" }, "none");
      if (value && typeof value === "object")
        return make("dl", { class: "fields" }, Object.entries(value).map(([key, item]) => make("div", {}, make("dt", {}, words(key)),
          make("dd", {}, draw_(item, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`)))));
      if (value === null) return make("span", { class: "nothing" }, "–");
      const leads = referredBy(record, path, value);
      if (leads) return linkTo(holder, leads, value);
      const at = byPath.get(path);
      if (at === undefined || typeof value !== "string") return make("span", { dir: "auto" }, String(value));
      return quoteOf(evidence[at], linked ? at : null);
    };
    holder.append(draw_(record, ""));
    return holder;
  }

  // A premise's `supports: 2` leads to the claim whose id is 2, by the schema's own word.
  function referredBy(record, path, value) {
    const names = path.split("/").slice(1).filter((part) => !/^\d+$/.test(part)).join("/");
    for (const [from, to] of index.references) {
      if (from.join("/") !== names) continue;
      let level = [["", record]];
      for (const name of to.slice(0, -1))
        level = level.flatMap(([at, held]) => (Array.isArray(held?.[name]) ? held[name].map((item, number) => [`${at}/${name}/${number}`, item]) : [[`${at}/${name}`, held?.[name]]]));
      const hit = level.find(([, item]) => item?.[to[to.length - 1]] === value);
      if (hit) return { at: hit[0], item: hit[1], list: to[to.length - 2] };
    }
    return null;
  }

  function linkTo(holder, { at, item, list: name }, value) {
    const said = Object.values(item).find((each) => typeof each === "string") || "";
    const link = make("button", { type: "button", class: "reference", title: `Go to ${name} ${value}`, onclick: () => {
      const target = [...holder.querySelectorAll("[data-item]")].find((each) => each.dataset.item === at);
      if (!target) return;
      for (const each of holder.querySelectorAll(".lit")) each.classList.remove("lit");
      target.classList.add("lit");
      target.scrollIntoView({ block: "center" });
    } }, make("b", {}, `${value} → `), make("span", { dir: "auto" }, said));
    return link;
  }

  function quoteOf(item, at) {
    const place = item.start === null ? "" : ` [${item.start}, ${item.end})`;
    const quote = make("span", { class: `quote match-${item.match}`, title: item.match + place, dir: "auto" }, item.quote);
    if (at !== null && item.start !== null) {
      const [show_, hide, go] = [() => pointTo(at, true), () => pointTo(at, false), () => pointTo(at, true, true)];
      quote.setAttribute("role", "button");
      quote.dataset.at = at;
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
  const folding = (title, content, open_ = false) => make("details", { open: open_ }, make("summary", {}, title), content);

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
      attempt.record ? folding("Record of this attempt", recordOf(attempt.record, attempt.evidence, false)) : null,
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
    return folding(calls.length === 1 ? "1 call" : `${calls.length} calls`, make("div", { class: "scroll" }, table));
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
    return folding(`${JURY_WORDS[jury.why]}: ${jury.verdict}, ${jury.jurors.length} judges`, make("ul", {}, judges));
  }

  function addendumOf(addendum) {
    return step("addendum", [make("b", {}, "Refine"), badge(`round ${addendum.round}`), make("small", {}, addendum.model || "")],
      make("p", {}, addendum.instructions.length ? "Added to the prompt, for this document only:" : "No instruction passed the checks."),
      make("ol", { class: "instructions" }, addendum.instructions.map((text, at) => make("li", {}, text, " ", addendum.criteria[at] ? badge(words(addendum.criteria[at])) : null))),
      addendum.dropped.length ? folding(`${addendum.dropped.length} dropped by code`, make("ul", {}, addendum.dropped.map((text) => make("li", {}, text)))) : null,
      callsOf(addendum.calls));
  }

  function reviewOf(review) {
    return step("review", [make("b", {}, "A person"), badge(review.action)],
      review.note ? make("p", {}, review.note) : null,
      review.record ? folding("The person's record", recordOf(review.record, review.evidence, false)) : null);
  }

  // ---- what a reader does ------------------------------------------------------------------------------

  list.addEventListener("click", (event) => {
    const line = event.target.closest("[data-position]");
    if (line && !String(getSelection())) open(Number(line.dataset.position));
  });
  list.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.dataset.position) open(Number(event.target.dataset.position));
  });
  new IntersectionObserver((seen) => { if (seen.some((item_) => item_.isIntersecting) && !more.hidden) draw(); }, { rootMargin: "600px" }).observe(more);

  const chips = [...document.querySelectorAll("[data-status]")];
  function chooseStatus(status) {
    chosen.status = status;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.status === status));
    refresh();
  }
  for (const chip of chips) chip.addEventListener("click", () => chooseStatus(chip.dataset.status));
  for (const name of ["path", "order"]) $(name).addEventListener("change", (event) => { chosen[name] = event.target.value; chosen.back = false; refresh(); });
  let typing = 0;
  $("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => { chosen.query = event.target.value; refresh(); }, 60);
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

  // On paper there is every document that is shown, with its text and record, whatever is open on the screen.
  addEventListener("beforeprint", () => {
    $("printed").replaceChildren(...visible.map((position) => make("article", {}, page(index.rows[position], entry(position), false))));
  });
  addEventListener("afterprint", () => $("printed").replaceChildren());

  choices();
  chooseStatus("");
  openHash();
  if (document.readyState === "complete") foldAll(); else addEventListener("load", () => foldAll());
})();
